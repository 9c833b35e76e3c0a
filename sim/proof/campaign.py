# SPDX-License-Identifier: MIT
"""Plants faults in a decoded bitstream and counts which of them a recorded run notices.

group      what is changed
=========  ====================================================================================
logic      one fuse of the table of a LUT or carry cell
memory     one fuse of the contents of a block RAM, in a byte that the run reads
mode       one fuse of the settings of a slice, a block or a pad
routing    one fuse of a wire's mux
wire       one input of a cell reads another net, as a mux with other, valid fuses would make it
words      two different words of a block RAM that the run reads, swapped: weights, mostly
=========  ====================================================================================

A mutant is *noticed* when a pad differs from the good chip's in any cycle or a signal oscillates,
*refused* when the decoder finds fuses that mean nothing or another clock, and *equal* when the
circuit does not change, or changes where no input can lead (`glintfpga.sim.proof.cones`).
*Unexercised* ones change an address of a table that the run never used; *silent* ones are the
rest.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.proof.cones import Cones
from glintfpga.sim.proof.lanes import LANES, LaneSim, Recording
from glintfpga.sim.proof.mutants import (
    Patch,
    differences,
    overlay,
    reroute,
    set_state,
    set_table,
    with_buffers,
)
from glintfpga.sim.proof.netlist import Netlist
from glintfpga.sim.proof.tables import MEMORY_BITS, Tables, inputs_of, through

if TYPE_CHECKING:
    from glintfpga.sim.decode.bitstream import Decoded

__all__ = ["GROUPS", "Campaign", "Mutant", "campaign"]

GROUPS = {"logic": 0.3, "memory": 0.15, "mode": 0.15, "routing": 0.2, "wire": 0.15, "words": 0.05}
"""Share of each group in a campaign."""
OUTCOMES = ("noticed", "refused", "equal", "unexercised", "silent")
PART = 50_000
_RX, _TX = "uart_0__rx__io", "uart_0__tx__io"

Progress = Callable[[float], None]


@dataclass
class Mutant:
    """One fault and what became of it."""

    group: str
    what: str
    patch: Patch
    address: int | None = None
    """Of a table with one bit changed."""
    cell: str = ""
    outcome: str = ""
    why: str = ""

    def facts(self) -> dict[str, Any]:
        """For proof.json."""
        return {key: getattr(self, key) for key in ("group", "what", "outcome", "why")}


@dataclass(frozen=True)
class Campaign:
    """All mutants of a run of ``cycles`` cycles."""

    mutants: tuple[Mutant, ...]
    cycles: int

    def counts(self) -> dict[str, dict[str, int]]:
        """Outcomes by group."""
        found: dict[str, dict[str, int]] = {}
        for group in GROUPS:
            tally = Counter(mutant.outcome for mutant in self.mutants if mutant.group == group)
            found[group] = {outcome: tally[outcome] for outcome in OUTCOMES}
        return found

    def facts(self) -> dict[str, Any]:
        """For proof.json: counts, and every mutant that was not noticed."""
        return {
            "count": len(self.mutants),
            "cycles": self.cycles,
            "groups": self.counts(),
            "survivors": [
                mutant.facts()
                for mutant in self.mutants
                if mutant.outcome not in ("noticed", "refused")
            ],
        }

    def __str__(self) -> str:
        total = Counter(mutant.outcome for mutant in self.mutants)
        said = ", ".join(f"{total[outcome]} {outcome}" for outcome in OUTCOMES)
        return f"{'mutants':<10} {len(self.mutants)} in {self.cycles:,} cycles: {said}"


def campaign(
    decoded: "Decoded",
    talks: Sequence[Callable[[LaneSim], None]],
    count: int,
    *,
    seed: int = 1,
    progress: Progress = lambda done: None,
) -> Campaign:
    """Plant ``count`` faults.

    ``talks`` converse with the good chip through its line; the mutants hear the same, those that
    one conversation did not show the next.
    """
    good = with_buffers(decoded.netlist)
    sim = LaneSim(good, clk_hz=decoded.clock_hz, rx=_RX, tx=_TX)
    recordings, seen, used = [], sim.seen(), sim.read_bytes()
    for talk in talks:
        sim.reset()
        talk(sim)
        recordings.append(sim.recording())
        seen, used = seen | sim.seen(), used | sim.read_bytes()
    planter = _Planter(decoded, good, sim.tables, used, random.Random(seed))
    mutants: list[Mutant] = []
    for group, share in GROUPS.items():
        for _ in range(round(count * share)):
            mutants.append(planter.plant(group))
            progress(len(mutants) / 2)
    for number, recording in enumerate(recordings):
        alive = [mutant for mutant in mutants if not mutant.outcome]
        for at in range(0, len(alive), LANES - 1):
            _run(good, alive[at : at + LANES - 1], recording, decoded.clock_hz)
            done = (number + at / len(alive)) / len(recordings)
            progress(count / 2 * (1 + done))
    cones, addresses = Cones(sim.tables), seen.tolist()
    for mutant in mutants:
        if not mutant.outcome:
            cell = sim.tables.index.get(mutant.cell)
            _judge(mutant, cones, 0 if cell is None else addresses[cell])
    return Campaign(tuple(mutants), sum(recording.cycles for recording in recordings))


def _run(good: Netlist, batch: Sequence[Mutant], recording: Recording, clk_hz: int) -> None:
    chip = overlay(good, [mutant.patch for mutant in batch])
    sim = LaneSim(chip, clk_hz=clk_hz, rx=_RX, tx=_TX, loops=True)
    sim.replay(recording)
    sim.reset(
        mutations=[partial(mutant.patch, lane=1 + at) for at, mutant in enumerate(batch)]
    )
    lanes = (1 << (len(batch) + 1)) - 2
    while sim.cycles < recording.cycles:
        size = min(PART, recording.cycles - sim.cycles)
        if sim.run_replay(size, lanes) < size:
            break
    if not np.array_equal(sim.heard(), recording.from_chip[: len(sim.heard())]):
        raise InputError("the good chip in lane 0 answered differently: the mutants reach into it")
    for lane, noticed in sim.noticed.items():
        if lane:
            where = noticed.output or "a signal that oscillates"
            batch[lane - 1].outcome = "noticed"
            batch[lane - 1].why = f"cycle {noticed.cycle}, {where}"


def _judge(mutant: Mutant, cones: Cones, seen: int) -> None:
    """Why a mutant was not noticed; ``seen`` is the set of its cell's addresses that were used."""
    mutant.outcome, mutant.why = "silent", "the run uses it, no pad shows it"
    if mutant.address is None:
        return
    if cones.is_equal(mutant.cell, mutant.address):
        mutant.outcome, mutant.why = "equal", "no input leads there, or nothing depends on it"
    elif not seen >> mutant.address & 1:
        mutant.outcome, mutant.why = "unexercised", "the run never uses this address of the table"


class _Planter:
    """Draws mutants of a decoded bitstream; ``used`` are the bytes that the good runs read."""

    def __init__(
        self,
        decoded: "Decoded",
        good: Netlist,
        tables: Tables,
        used: NDArray[np.uint8],
        numbers: random.Random,
    ):
        self.decoded = decoded
        self.good = good
        self.tables = tables
        self.numbers = numbers
        self.used_bytes = used
        self.rams = [cell for cell in self.tables.cells if cell.kind == "BSRAM"]
        self.first_net = self.tables.size
        self.planted = 0
        self.positions: dict[str, Any] = {}

    def plant(self, group: str) -> Mutant:
        """The next mutant of a group."""
        self.planted += 1
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
            chosen = self.positions[group][self.numbers.randrange(len(self.positions[group]))]
            fuse = self.decoded.fuses.at((int(chosen[0]), int(chosen[1])))
            if fuse is None or group == "memory" and not self._is_read(fuse.what, fuse.bit):
                continue
            what = f"{fuse.what} {fuse.parameter} bit {fuse.bit}" if fuse.parameter else fuse.what
            return self._planted(group, what, fuse)

    def _planted(self, group: str, what: str, fuse: Any) -> Mutant:
        index = self.tables.index
        if fuse.is_data and group in ("logic", "memory") and fuse.what in index:
            cell = self.tables.cells[index[fuse.what]]
            if cell.kind in ("LUT4", "ALU"):
                table = cell.parameters["INIT"] ^ 1 << fuse.bit
                patch = Patch([partial(set_table, cell=cell.name, table=table)])
                return Mutant(group, what, patch, fuse.bit, cell.name)
            value = ~cell.parameters[fuse.parameter] >> fuse.bit & 1
            first = 16 * int(fuse.parameter[-1]) if cell.kind == "RAM16" else 0
            at = first + fuse.bit
            return Mutant(
                group, what, Patch([partial(set_state, cell=cell.name, at=at, value=value)])
            )
        mutant = Mutant(group, what, Patch())
        try:
            mutated = with_buffers(self.decoded.with_flips([fuse.position]).netlist)
            mutant.patch = differences(
                self.good, mutated, number=self.planted, first_net=self.first_net
            )
        except InputError as error:
            mutant.outcome, mutant.why = "refused", str(error)
            return mutant
        if mutant.patch.nothing:
            mutant.outcome, mutant.why = "equal", "the circuit is the same"
        elif group == "logic" and fuse.what in index:
            mutant.address, mutant.cell = fuse.bit, fuse.what
        return mutant

    def _is_read(self, name: str, bit: int) -> bool:
        at = next(at for at, ram in enumerate(self.rams) if ram.name == name)
        return bool(self.used_bytes[at][bit // 9])

    def _wire(self) -> Mutant:
        while True:
            cell = self.numbers.choice(self.tables.cells)
            nets = inputs_of(cell)
            live = [pin for pin, net in enumerate(nets) if net > 2]
            if cell.name.startswith("pad ") or not live:
                continue
            pin = self.numbers.choice(live)
            other = self.numbers.choice(self.tables.cells)
            outs = through(other)[1] or other.ports.get("Q", ())
            if outs and outs[0] != nets[pin]:
                patch = Patch([partial(reroute, cell=cell.name, pin=pin, net=outs[0])])
                return Mutant("wire", f"{cell.name} input {pin} reads {other.name}", patch)

    def _words(self) -> Mutant:
        while True:
            at = self.numbers.randrange(len(self.rams))
            ram = self.rams[at]
            size = max(ram.parameters["WIDTH_A"], ram.parameters["WIDTH_B"]) // 8
            used = np.flatnonzero(self.used_bytes[at].reshape(-1, size).any(axis=1)).tolist()
            if len(used) < 2:
                continue
            one, two = (size * 9 * word for word in self.numbers.sample(used, 2))
            changes = list(_swapped(ram.name, ram.parameters["INIT"], one, two, size * 9))
            if changes:
                what = f"{ram.name} words {one // size // 9} and {two // size // 9}"
                return Mutant("words", what, Patch(changes))


def _swapped(cell: str, bits: int, one: int, two: int, width: int) -> Iterator[Any]:
    assert max(one, two) + width <= MEMORY_BITS
    for bit in range(width):
        a, b = bits >> one + bit & 1, bits >> two + bit & 1
        if a != b:
            yield partial(set_state, cell=cell, at=one + bit, value=b)
            yield partial(set_state, cell=cell, at=two + bit, value=a)
