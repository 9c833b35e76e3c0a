# SPDX-License-Identifier: MIT
"""Plants faults in a decoded bitstream and counts which of them recorded runs notice.

`glintfpga.sim.proof.planter` draws them. What becomes of a mutant:

============  =================================================================================
noticed       a pad differs from the good chip's in some cycle, or a signal oscillates
refused       the decoder finds fuses that mean nothing, or another clock: it never runs
equal         no input can tell it from the good chip, for one of three reasons:
              the decoded circuit is the same; or the entry of a table that changes is one that no
              input leads to or that nothing depends on (`glintfpga.sim.proof.cones`); or what
              changes is contents that the chip writes over by itself, while its line still rests
unexercised   the good chip never uses the entry of the table (an input that counts only in the
              mutant is low there), or no register takes the memory bit
silent        the rest: no pad shows it
============  =================================================================================

The third reason: from power-up on, both chips hear the same resting line. In a cycle in which they
hold the same in every register, every memory bit and every net, and with nothing else changed, they
are one chip; so they stay, whatever is said from then on. A chip writes over the rows of its rings
so in its self-test. When that happens only later, after something was said, another conversation
might have shown the difference: such a mutant is silent.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from glintfpga.quant.errors import InputError
from glintfpga.sim.proof.cones import Cones
from glintfpga.sim.proof.lanes import LANES, LaneSim, Recording
from glintfpga.sim.proof.mutants import overlay, with_buffers
from glintfpga.sim.proof.netlist import Netlist
from glintfpga.sim.proof.planter import GROUPS, Mutant, Planter, sampled_bytes

if TYPE_CHECKING:
    from glintfpga.sim.decode.bitstream import Decoded

__all__ = ["OUTCOMES", "Campaign", "campaign", "judge", "run_batch"]

OUTCOMES = ("noticed", "refused", "equal", "unexercised", "silent")
PART = 50_000
WORKERS = 2
_LINE = ("uart_0__rx__io", "uart_0__tx__io")

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Campaign:
    """All mutants of runs of ``cycles`` cycles together."""

    mutants: tuple[Mutant, ...]
    cycles: int
    bytes_sampled: int = 0
    """Of block RAM, that mutants of memory were drawn from."""
    bytes_left_out: int = 0
    """That are read too, but are no part of a table, a model or a buffer."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Outcomes by group."""
        found: dict[str, dict[str, int]] = {}
        for group in GROUPS:
            tally = Counter(mutant.outcome for mutant in self.mutants if mutant.group == group)
            found[group] = {outcome: tally[outcome] for outcome in OUTCOMES}
        return found

    @property
    def detected(self) -> float:
        """Share of those not equal that were noticed or refused."""
        return _share(self._total, ("noticed", "refused"), ("equal",))

    @property
    def noticed(self) -> float:
        """Share of those that ran and are not equal that were noticed."""
        return _share(self._total, ("noticed",), ("equal", "refused"))

    @property
    def _total(self) -> Counter[str]:
        return Counter(mutant.outcome for mutant in self.mutants)

    def facts(self) -> dict[str, Any]:
        """For proof.json: counts, and every mutant that was not noticed."""
        return {
            "count": len(self.mutants),
            "cycles": self.cycles,
            "bytes_sampled": self.bytes_sampled,
            "bytes_left_out": self.bytes_left_out,
            "groups": self.counts(),
            "detected": round(self.detected, 4),
            "noticed": round(self.noticed, 4),
            "survivors": [
                mutant.facts()
                for mutant in self.mutants
                if mutant.outcome not in ("noticed", "refused")
            ],
        }

    def __str__(self) -> str:
        said = ", ".join(f"{self._total[outcome]} {outcome}" for outcome in OUTCOMES)
        return (
            f"{'mutants':<10} {len(self.mutants)} in {self.cycles:,} cycles: {said}; "
            f"{self.detected:.1%} noticed or refused of those not equal, "
            f"{self.noticed:.1%} noticed of those that ran"
        )


def _share(total: Counter[str], found: Sequence[str], left_out: Sequence[str]) -> float:
    counted = total.total() - sum(total[outcome] for outcome in left_out)
    return sum(total[outcome] for outcome in found) / counted if counted else 1.0


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
    one conversation did not show the next. The first must load no other model than the chip has,
    and begin with silence, in which the self-test shows contents that do not matter. Uses
    `WORKERS` threads.

    Raises ``InputError`` when a mutant shown to be equal is noticed: then the argument is wrong.
    """
    good = with_buffers(decoded.netlist)
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as workers:
        rx, tx = _LINE
        sims = [LaneSim(good, clk_hz=decoded.clock_hz, rx=rx, tx=tx) for _ in talks]
        list(workers.map(lambda talk, sim: talk(sim), talks, sims))
        recordings = [sim.recording() for sim in sims]
        read = [sim.read_bytes() for sim in sims]
        seen = np.bitwise_or.reduce([sim.seen() for sim in sims]).tolist()
        tables = sims[0].tables
        rams = [cell for cell in tables.cells if cell.kind == "BSRAM"]
        ever = np.bitwise_or.reduce(read)
        used = sampled_bytes(rams, read[0], sims[0].written_bytes(), ever)
        del sims
        planter = Planter(decoded, good, tables, used, random.Random(seed))
        mutants: list[Mutant] = []
        for group, share in GROUPS.items():
            for _ in range(round(count * share)):
                mutants.append(planter.plant(group))
                progress(len(mutants) / 2)
        cones = Cones(tables)
        for one in mutants:
            one.is_equal = one.entry is not None and cones.is_equal(*one.entry)
        for number, recording in enumerate(recordings):
            # The first run is also a test of the cones: those that they call equal are in it.
            alive = [
                one
                for one in mutants
                if not (one.outcome or number and (one.is_equal or one.quiet is not None))
            ]
            batches = [alive[at : at + LANES - 1] for at in range(0, len(alive), LANES - 1)]
            run = partial(run_batch, good, recording=recording, clk_hz=decoded.clock_hz)
            for at, _ in enumerate(workers.map(run, batches), 1):
                done = (number + at / len(batches)) / len(recordings)
                progress(count / 2 * (1 + done))
            for one in mutants:
                _check(one)
    for mutant in mutants:
        cell = tables.index.get(mutant.cell)
        judge(mutant, None if cell is None else seen[cell])
    cycles = sum(recording.cycles for recording in recordings)
    sampled = int(used.sum())
    left_out = int((read[0] & ~used & 1).sum())
    return Campaign(tuple(mutants), cycles, sampled, left_out)


def run_batch(
    good: Netlist,
    batch: Sequence[Mutant],
    recording: Recording,
    *,
    clk_hz: float,
    line: tuple[str, str] = _LINE,
) -> None:
    """Replay a recording to at most 63 mutants; fills in what was noticed, settled and reached.

    ``line`` names the pads to and from the chip. Raises ``InputError`` when the good chip does not
    answer as recorded.
    """
    chip = overlay(good, [mutant.patch for mutant in batch])
    sim = LaneSim(chip, clk_hz=clk_hz, rx=line[0], tx=line[1], loops=True)
    sim.replay(recording)
    sim.reset(
        mutations=[partial(mutant.patch, lane=1 + at) for at, mutant in enumerate(batch)]
    )
    lanes = (1 << (len(batch) + 1)) - 2
    for stop in _stops(recording):
        size = stop - sim.cycles
        whole = sim.run_replay(size, lanes) == size
        same = ~(sim.differing | sum(1 << lane for lane in sim.noticed))
        for lane, mutant in enumerate(batch, 1):
            if mutant.patch.is_contents and same >> lane & 1:
                mutant.is_settled = True
                if stop == recording.quiet:
                    mutant.quiet = stop
        if not whole:
            break
    if not np.array_equal(sim.heard(), recording.from_chip[: len(sim.heard())]):
        raise InputError("the good chip in lane 0 answered differently: the mutants reach into it")
    reached = sim.reached
    for lane, mutant in enumerate(batch, 1):
        mutant.reached |= bool(reached >> lane & 1)
        if lane in sim.noticed:
            noticed = sim.noticed[lane]
            mutant.outcome = "noticed"
            mutant.why = f"cycle {noticed.cycle}, {noticed.output or 'a signal that oscillates'}"


def _stops(recording: Recording) -> Iterator[int]:
    """Cycles after which to look: the last of the silence, if there is one, and every `PART`."""
    if recording.quiet:
        yield recording.quiet
    yield from range(recording.quiet + PART, recording.cycles, PART)
    yield recording.cycles


def judge(mutant: Mutant, seen: int | None) -> None:
    """What became of a mutant that all runs are over for.

    ``seen`` is the set of the addresses of its cell's table that the good chip used. Raises
    ``InputError`` for one that was shown to be equal and noticed.
    """
    _check(mutant)
    if mutant.is_equal:
        mutant.outcome, mutant.why = "equal", "no input leads there, or nothing depends on it"
    elif mutant.outcome:
        return
    elif mutant.quiet is not None:
        mutant.outcome = "equal"
        mutant.why = f"the chip writes over it by itself, in its first {mutant.quiet} cycles"
    elif seen is not None and mutant.entry is not None and not seen >> mutant.entry[1] & 1:
        mutant.outcome, mutant.why = "unexercised", "the runs never use this entry of the table"
    elif mutant.patch.is_contents and not mutant.reached:
        mutant.outcome, mutant.why = "unexercised", "it is read, but no register takes it"
    elif mutant.is_settled:
        mutant.outcome, mutant.why = "silent", "the runs write over it before a pad shows it"
    else:
        mutant.outcome, mutant.why = "silent", "the runs use it, no pad shows it"


def _check(mutant: Mutant) -> None:
    if mutant.is_equal and mutant.outcome:
        raise InputError(f"{mutant.what} was shown to be equal, but differs: {mutant.why}")
