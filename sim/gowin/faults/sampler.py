# SPDX-License-Identifier: MIT
"""Fault sampling: draws the faults of a campaign, uniformly over the fuses of each group.

group      fault
=========  ====================================================================================
logic      one fuse of the table of a LUT or carry cell is inverted
memory     one fuse of a block RAM's contents is inverted, in a byte that is read before written
mode       one fuse of the settings of a slice, a hard block or a pad is inverted
routing    one fuse of a routing mux is inverted
wire       one input of a cell is connected to another net, as a mux with valid fuses could
words      two different words of a block RAM, both read before written, are swapped
=========  ====================================================================================

Not every byte of block RAM is sampled. In a memory that the chip never writes, a byte counts if any
run reads it. In the others, a byte counts if the first run reads its power-up value and also writes
it when it loads its own model: these are the bytes of the model, the rings and the buffers. A port
reads in every cycle, so unused rows are read too; they contain zeros without a meaning and are left
out.
"""

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.faults.mutants import Mutant
from glintfpga.sim.gowin.faults.patches import (
    Change,
    Patch,
    Reroute,
    SetState,
    SetTable,
    differences,
    with_buffers,
)
from glintfpga.sim.gowin.netlist.flat_netlist import MEMORY_BITS, FlatNetlist, comb_arcs, input_nets
from glintfpga.sim.gowin.netlist.netlist import LOW, Cell, Netlist

if TYPE_CHECKING:
    from glintfpga.sim.gowin.decode.bitstream import Decoded

__all__ = ["GROUPS", "FaultSampler", "sampled_bytes"]

GROUPS = {"logic": 0.3, "memory": 0.15, "mode": 0.15, "routing": 0.2, "wire": 0.15, "words": 0.05}
"""Share of each group in a campaign."""


def sampled_bytes(
    rams: Sequence[Cell],
    first: NDArray[np.uint8],
    written: NDArray[np.uint8],
    ever: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Which bytes of the block RAMs are sampled, in the shape of `BitParallelSim.read_bytes`.

    ``first`` and ``written``: bytes that the first run read and wrote; ``ever``: bytes that any run
    read.
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
        flat: FlatNetlist,
        used: NDArray[np.uint8],
        rng: random.Random,
    ):
        self.decoded = decoded
        self.good = good
        self.flat = flat
        self.rng = rng
        self.used_bytes = used
        self.rams = [cell for cell in self.flat.cells if cell.kind == "BSRAM"]
        self.first_net = self.flat.size
        self.drawn = 0
        self.positions: dict[str, Any] = {}

    def draw(self, group: str) -> Mutant:
        """Draw a mutant of a group."""
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
        index = self.flat.index
        if fuse.is_data and group in ("logic", "memory") and fuse.what in index:
            cell = self.flat.cells[index[fuse.what]]
            if cell.kind in ("LUT4", "ALU"):
                table = cell.parameters["INIT"] ^ 1 << fuse.bit
                return Mutant(group, what, Patch([SetTable(cell.name, table)]))
            value = ~cell.parameters[fuse.parameter] >> fuse.bit & 1
            first = 16 * int(fuse.parameter[-1]) if cell.kind == "RAM16" else 0
            change = SetState(cell.name, first + fuse.bit, value)
            return Mutant(group, what, Patch([change], is_contents=True))
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
            cell = self.rng.choice(self.flat.cells)
            nets = input_nets(cell)
            live = [pin for pin, net in enumerate(nets) if net > 2]
            if cell.name.startswith("pad ") or not live:
                continue
            pin = self.rng.choice(live)
            other = self.rng.choice(self.flat.cells)
            outs = comb_arcs(other)[1] or other.ports.get("Q", ())
            if outs and outs[0] != nets[pin]:
                patch = Patch([Reroute(cell.name, pin, outs[0])])
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


def _swapped(cell: str, bits: int, one: int, two: int, width: int) -> Iterator[Change]:
    assert max(one, two) + width <= MEMORY_BITS
    for bit in range(width):
        a, b = bits >> one + bit & 1, bits >> two + bit & 1
        if a != b:
            yield SetState(cell, one + bit, b)
            yield SetState(cell, two + bit, a)
