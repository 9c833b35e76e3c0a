# SPDX-License-Identifier: MIT
"""Draws the faults of a campaign, evenly over the fuses of each group.

group      what is changed
=========  ====================================================================================
logic      one fuse of the table of a LUT or carry cell
memory     one fuse of the contents of a block RAM, in a byte that is read as it was at power-up
mode       one fuse of the settings of a slice, a block or a pad
routing    one fuse of a wire's mux
wire       one input of a cell reads another net, as a mux with other, valid fuses would make it
words      two different words of a block RAM that are read so, swapped: weights, mostly
=========  ====================================================================================

Of a block RAM that the chip never writes, bytes count that any run reads. Of the others, bytes that
the first run reads as they were at power-up and, with the loads of its own model, writes too: the
rows of the model, of its rings and buffers. Rows that no load fills are read as well, since ports
read in every cycle; they hold zeros that belong to nothing, and are left out.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.faults.mutants import (
    Change,
    Patch,
    differences,
    reroute,
    set_state,
    set_table,
    with_buffers,
)
from glintfpga.sim.gowin.netlist.flat_netlist import MEMORY_BITS, FlatNetlist, comb_arcs, input_nets
from glintfpga.sim.gowin.netlist.netlist import LOW, Cell, Netlist

if TYPE_CHECKING:
    from glintfpga.sim.gowin.decode.bitstream import Decoded

__all__ = ["GROUPS", "FaultSampler", "Mutant", "sampled_bytes"]

GROUPS = {"logic": 0.3, "memory": 0.15, "mode": 0.15, "routing": 0.2, "wire": 0.15, "words": 0.05}
"""Share of each group in a campaign."""


@dataclass
class Mutant:
    """One fault and what became of it."""

    group: str
    what: str
    patch: Patch
    outcome: str = ""
    why: str = ""
    stays_equal: bool = False
    """Shown that it goes on as the good chip from any cycle on in which it holds the same."""
    inequivalent: bool = False
    """Differs from the good chip in contents, modes or some state, be it one that never comes."""
    masked: bool = False
    """Shown that nothing uses what it changes, from power-up on."""
    converged_at: set[tuple[int, bool]] = field(default_factory=set)
    """Such cycles, in which the line had said nothing yet, and what floating inputs read."""
    converged: bool = False
    """Holds the same in any cycle of a run."""
    activated: bool = False
    """Whether its table has said anything else than that of the good chip would have."""
    latched: bool = False
    """Whether a cell with a clock has taken anything else than in the good chip."""

    def facts(self) -> dict[str, Any]:
        """For proof.json."""
        return {key: getattr(self, key) for key in ("group", "what", "outcome", "why")}


def sampled_bytes(
    rams: Sequence[Cell],
    first: NDArray[np.uint8],
    written: NDArray[np.uint8],
    ever: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Which bytes of the block RAMs count, as `BitParallelSim.read_bytes` has them.

    ``first`` and ``written`` are what the first run read and wrote, ``ever`` what any run read.
    """
    found = ever.copy()
    for at, ram in enumerate(rams):
        if any(ram.ports.get(f"WRE{side}", (LOW,)) != (LOW,) for side in "AB"):
            found[at] = first[at] & written[at]
    return found


class FaultSampler:
    """Draws mutants of a decoded bitstream; ``used`` are the `sampled_bytes` of its block RAMs."""

    def __init__(
        self,
        decoded: "Decoded",
        good: Netlist,
        tables: FlatNetlist,
        used: NDArray[np.uint8],
        rng: random.Random,
    ):
        self.decoded = decoded
        self.good = good
        self.tables = tables
        self.rng = rng
        self.used_bytes = used
        self.rams = [cell for cell in self.tables.cells if cell.kind == "BSRAM"]
        self.first_net = self.tables.size
        self.drawn = 0
        self.positions: dict[str, Any] = {}

    def draw(self, group: str) -> Mutant:
        """The next mutant of a group."""
        self.drawn += 1
        self.first_net += 10_000
        if group == "wire":
            return self._wire()
        if group == "words":
            return self._words()
        return self._fuse(group)

    def _fuse(self, group: str) -> Mutant:
        if group not in self.positions:
            self.positions[group] = self.decoded.fuses.positions(group)
        while True:
            chosen = self.positions[group][self.rng.randrange(len(self.positions[group]))]
            fuse = self.decoded.fuses.at((int(chosen[0]), int(chosen[1])))
            if fuse is None or group == "memory" and not self._is_read(fuse.what, fuse.bit):
                continue
            what = f"{fuse.what} {fuse.parameter} bit {fuse.bit}" if fuse.parameter else fuse.what
            return self._fuse_fault(group, what, fuse)

    def _fuse_fault(self, group: str, what: str, fuse: Any) -> Mutant:
        index = self.tables.index
        if fuse.is_data and group in ("logic", "memory") and fuse.what in index:
            cell = self.tables.cells[index[fuse.what]]
            if cell.kind in ("LUT4", "ALU"):
                table = cell.parameters["INIT"] ^ 1 << fuse.bit
                patch = Patch([partial(set_table, cell=cell.name, table=table)])
                return Mutant(group, what, patch)
            value = ~cell.parameters[fuse.parameter] >> fuse.bit & 1
            first = 16 * int(fuse.parameter[-1]) if cell.kind == "RAM16" else 0
            at = first + fuse.bit
            changes: list[Change] = [partial(set_state, cell=cell.name, at=at, value=value)]
            return Mutant(group, what, Patch(changes, is_contents=True))
        mutant = Mutant(group, what, Patch())
        try:
            mutated = with_buffers(self.decoded.with_flips([fuse.position]).netlist)
            mutant.patch = differences(
                self.good, mutated, number=self.drawn, first_net=self.first_net
            )
        except InputError as error:
            mutant.outcome, mutant.why = "refused", str(error)
            return mutant
        if mutant.patch.nothing:
            mutant.outcome, mutant.why = "equal", "the circuit is the same"
        return mutant

    def _is_read(self, name: str, bit: int) -> bool:
        at = next(at for at, ram in enumerate(self.rams) if ram.name == name)
        return bool(self.used_bytes[at][bit // 9])

    def _wire(self) -> Mutant:
        while True:
            cell = self.rng.choice(self.tables.cells)
            nets = input_nets(cell)
            live = [pin for pin, net in enumerate(nets) if net > 2]
            if cell.name.startswith("pad ") or not live:
                continue
            pin = self.rng.choice(live)
            other = self.rng.choice(self.tables.cells)
            outs = comb_arcs(other)[1] or other.ports.get("Q", ())
            if outs and outs[0] != nets[pin]:
                patch = Patch([partial(reroute, cell=cell.name, pin=pin, net=outs[0])])
                return Mutant("wire", f"{cell.name} input {pin} reads {other.name}", patch)

    def _words(self) -> Mutant:
        while True:
            at = self.rng.randrange(len(self.rams))
            ram = self.rams[at]
            size = max(ram.parameters["WIDTH_A"], ram.parameters["WIDTH_B"]) // 8
            used = np.flatnonzero(self.used_bytes[at].reshape(-1, size).any(axis=1)).tolist()
            if len(used) < 2:
                continue
            one, two = (size * 9 * word for word in self.rng.sample(used, 2))
            changes = list(_swapped(ram.name, ram.parameters["INIT"], one, two, size * 9))
            if changes:
                what = f"{ram.name} words {one // size // 9} and {two // size // 9}"
                return Mutant("words", what, Patch(changes, is_contents=True))


def _swapped(cell: str, bits: int, one: int, two: int, width: int) -> Iterator[Any]:
    assert max(one, two) + width <= MEMORY_BITS
    for bit in range(width):
        a, b = bits >> one + bit & 1, bits >> two + bit & 1
        if a != b:
            yield partial(set_state, cell=cell, at=one + bit, value=b)
            yield partial(set_state, cell=cell, at=two + bit, value=a)
