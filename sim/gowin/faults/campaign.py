# SPDX-License-Identifier: MIT
"""Plants faults in a decoded bitstream and counts which of them recorded runs notice.

`glintfpga.sim.gowin.faults.sampler` draws them. What becomes of a mutant:

============  =================================================================================
noticed       a pad differs from the good chip's in some cycle, or a signal oscillates
refused       the decoder finds fuses that mean nothing, or another clock: it never runs
equal         the decoded circuit is the same; or nothing that comes in can tell it from the good
              chip once the self-test is over; or it is in a byte of a ring, which is written before
              it is used
unexercised   another table, of whose other entries the runs use none
silent        the rest: no pad shows it
============  =================================================================================

"Once the self-test is over": from power-up on, both chips hear the same resting line. In a cycle
before anything is said they hold the same in every register and every memory bit, whether floating
inputs are 0 or 1. And from a state that is the same, nothing can make a difference:
`glintfpga.sim.gowin.equivalence.fault_equivalence`, with clauses that
`glintfpga.sim.gowin.equivalence.invariants` shows to hold from that cycle on. Where the mutant
differs in contents only, and has the wires, tables and modes of the good chip, there is nothing to
show. Of rings see `glintfpga.sim.proof.uninitialized_reads`. A mutant that comes to hold the same
only later, after something was said, is silent: another conversation might have shown the
difference.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.fault_equivalence import Equivalence
from glintfpga.sim.gowin.equivalence.invariants import candidates, needed, never
from glintfpga.sim.gowin.faults.mutants import overlay, with_buffers
from glintfpga.sim.gowin.faults.sampler import GROUPS, FaultSampler, Mutant, sampled_bytes
from glintfpga.sim.gowin.netlist.bitparallel import ALL, COPIES, BitParallelSim, Recording
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import Netlist
from glintfpga.sim.proof.uninitialized_reads import Registers, never_read_before_write

if TYPE_CHECKING:
    from glintfpga.sim.gowin.decode.bitstream import Decoded

__all__ = ["OUTCOMES", "Campaign", "campaign", "classify", "run_batch"]

OUTCOMES = ("noticed", "refused", "equal", "unexercised", "silent")
SILENCE_S = 0.001
"""How long nothing is said at first: the self-test takes some tenths of a millisecond."""
PART = 50_000
"""Cycles after which what mutants hold is compared."""
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
    def found_by_logic(self) -> int:
        """How many of those silent or unexercised differ from the good chip in contents, in modes,
        or in some state, be it one that never comes.

        Where the good chip is as it was placed,
        `glintfpga.sim.gowin.equivalence.netlist_equivalence` says so of them, or that they have a
        loop.
        """
        left = (one for one in self.mutants if one.outcome in ("silent", "unexercised"))
        return sum(one.inequivalent for one in left)

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
            "found_by_logic": self.found_by_logic,
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
            f"{self.noticed:.1%} noticed of those that ran; {self.found_by_logic} of those "
            "unexercised or silent differ in contents, modes or some state"
        )


def _share(total: Counter[str], found: Sequence[str], left_out: Sequence[str]) -> float:
    counted = total.total() - sum(total[outcome] for outcome in left_out)
    return sum(total[outcome] for outcome in found) / counted if counted else 1.0


def campaign(
    decoded: "Decoded",
    stimuli: Sequence[Callable[[BitParallelSim], None]],
    count: int,
    *,
    seed: int = 1,
    wires: Registers | None = None,
    progress: Progress = lambda done: None,
) -> Campaign:
    """Plant ``count`` faults.

    ``stimuli`` converse with the good chip through its line, after a silence in which the self-test
    runs; the mutants hear the same, those that one conversation did not show the next, with
    floating inputs at 0 and 1 in turn. The first must load no other model than the chip has.
    ``wires`` are registers by their names in the source, if known: then rings can be found. Uses
    `WORKERS` threads.

    Raises ``InputError`` when a mutant shown to be equal is noticed: then the argument is wrong.
    """
    good = with_buffers(decoded.netlist)
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as workers:
        sims = list(workers.map(partial(_recorded, decoded, good), stimuli))
        recordings = [sim.recording() for sim in sims]
        progress(count / 4)
        tables, used = sims[0].tables, _used(sims)
        sampler = FaultSampler(decoded, good, tables, used, random.Random(seed))
        mutants: list[Mutant] = []
        for group, share in GROUPS.items():
            for _ in range(round(count * share)):
                mutants.append(sampler.draw(group))
                progress(count / 4 + len(mutants) / 4)
        seen = np.bitwise_or.reduce([sim.seen() for sim in sims])
        left_out = int((sims[0].read_bytes() & ~used & 1).sum())
        del sims
        states = [_after_silence(decoded, good, recordings[0], high) for high in (False, True)]
        _prove_stays_equal(mutants, tables, seen, states)
        _prove_masked(mutants, _opened(decoded, good), wires or {})
        # The first run is also a test of what was shown: those that are called equal are in it.
        runs = [(recordings[0].silence, True), *zip(recordings, cycle((False, True)))]
        for number, (recording, floating) in enumerate(runs):
            alive = [one for one in mutants if not (one.outcome or number > 1 and _is_equal(one))]
            batches = [alive[at : at + COPIES - 1] for at in range(0, len(alive), COPIES - 1)]
            run = partial(
                run_batch,
                good,
                recording=recording,
                clk_hz=decoded.clock_hz,
                floating=floating,
            )
            for at, _ in enumerate(workers.map(run, batches), 1):
                progress(count / 2 * (1 + (number + at / len(batches)) / len(runs)))
    for mutant in mutants:
        classify(mutant)
    cycles = sum(recording.cycles for recording in recordings)
    return Campaign(tuple(mutants), cycles, int(used.sum()), left_out)


def _prove_stays_equal(
    mutants: Sequence[Mutant],
    tables: FlatNetlist,
    seen: NDArray[np.uint32],
    states: Sequence[Mapping[int, bool]],
) -> None:
    anywhere = Equivalence(tables)
    for mutant in mutants:
        mutant.inequivalent = not (mutant.outcome or anywhere.is_same(mutant.patch))
    patches = [mutant.patch for mutant in mutants]
    clauses = [*candidates(tables, seen.tolist(), states[0]), *needed(tables, patches)]
    equivalence = Equivalence(tables, never(tables, clauses, states))
    for mutant in mutants:
        mutant.stays_equal = not mutant.outcome and equivalence.stays_equal(mutant.patch)


def _prove_masked(mutants: Sequence[Mutant], sim: BitParallelSim, wires: Registers) -> None:
    sim.reset()
    rings = never_read_before_write(sim.tables, wires, dict(enumerate(sim.values().tolist())))
    for mutant in mutants:
        patch = mutant.patch
        mutant.masked = patch.is_contents and not patch.nothing and patch.cells <= rings


def _opened(decoded: "Decoded", good: Netlist) -> BitParallelSim:
    rx, tx = _LINE
    return BitParallelSim(good, clk_hz=decoded.clock_hz, rx=rx, tx=tx)


def _recorded(
    decoded: "Decoded", good: Netlist, stimulus: Callable[[BitParallelSim], None]
) -> BitParallelSim:
    sim = _opened(decoded, good)
    sim.run(round(SILENCE_S * decoded.clock_hz))
    sim.see_anew()
    stimulus(sim)
    return sim


def _used(sims: Sequence[BitParallelSim]) -> NDArray[np.uint8]:
    rams = [cell for cell in sims[0].tables.cells if cell.kind == "BSRAM"]
    read = [sim.read_bytes() for sim in sims]
    return sampled_bytes(rams, read[0], sims[0].written_bytes(), np.bitwise_or.reduce(read))


def _after_silence(
    decoded: "Decoded", good: Netlist, recording: Recording, floating: bool
) -> dict[int, bool]:
    """What all nets are in the last cycle before anything is said."""
    sim = _opened(decoded, good)
    sim.reset(floating=ALL * floating)
    sim.run(recording.idle_cycles)
    return dict(enumerate(sim.values().tolist()))


def run_batch(
    good: Netlist,
    batch: Sequence[Mutant],
    recording: Recording,
    *,
    clk_hz: float,
    line: tuple[str, str] = _LINE,
    floating: bool = False,
) -> None:
    """Replay a recording to at most 63 mutants; fills in what became of them.

    ``line`` names the pads to and from the chip; ``floating`` is what floating inputs read. Raises
    ``InputError`` when the good chip does not answer as recorded, and when a mutant that was shown
    to be equal is noticed.
    """
    chip = overlay(good, [mutant.patch for mutant in batch])
    sim = BitParallelSim(chip, clk_hz=clk_hz, rx=line[0], tx=line[1], loops=True)
    sim.replay(recording)
    sim.reset(
        floating=ALL * floating,
        mutations=[partial(mutant.patch, copy=1 + at) for at, mutant in enumerate(batch)],
    )
    copies = (1 << (len(batch) + 1)) - 2
    for stop in _stops(recording):
        size = stop - sim.cycles
        whole = sim.run_replay(size, copies) == size
        same = ~(sim.differing | sum(1 << copy for copy in sim.noticed))
        for copy, mutant in enumerate(batch, 1):
            if same >> copy & 1:
                mutant.converged = mutant.patch.is_contents
                if stop == recording.idle_cycles:
                    mutant.converged_at.add((stop, floating))
        if not whole:
            break
    if not np.array_equal(sim.heard(), recording.from_chip[: len(sim.heard())]):
        raise InputError("the good chip in copy 0 answered differently: the mutants reach into it")
    excited, taken = sim.excited, sim.reached
    for copy, mutant in enumerate(batch, 1):
        mutant.activated |= bool(excited >> copy & 1)
        mutant.latched |= bool(taken >> copy & 1)
        if copy in sim.noticed:
            noticed = sim.noticed[copy]
            mutant.outcome = "noticed"
            mutant.why = f"cycle {noticed.cycle}, {noticed.output or 'a signal that oscillates'}"
            if _is_equal(mutant):
                raise InputError(f"{mutant.what} was shown to be equal, but differs: {mutant.why}")


def _stops(recording: Recording) -> Iterator[int]:
    """Cycles after which to look: the last of the silence, if there is one, and every `PART`."""
    if recording.idle_cycles:
        yield recording.idle_cycles
    yield from range(recording.idle_cycles + PART, recording.cycles, PART)
    yield recording.cycles


def classify(mutant: Mutant) -> None:
    """What became of a mutant that all runs are over for."""
    if mutant.outcome:
        return
    if mutant.masked:
        mutant.outcome, mutant.why = "equal", "a byte of a ring, written before it is used"
    elif _is_equal(mutant):
        mutant.outcome, mutant.why = "equal", "holds the same after the self-test, for ever"
    elif mutant.patch.is_table and not (mutant.activated or mutant.latched):
        mutant.outcome, mutant.why = "unexercised", "the runs use none of its other entries"
    elif not mutant.latched:
        mutant.outcome, mutant.why = "silent", "no register takes the difference"
    elif mutant.converged:
        mutant.outcome, mutant.why = "silent", "the difference is gone before a pad shows it"
    else:
        mutant.outcome, mutant.why = "silent", "the runs use it, no pad shows it"


def _is_equal(mutant: Mutant) -> bool:
    """It is in a ring; or both values of floating inputs lead to the same, in the cycle that the
    clauses begin with.
    """
    stops = {stop for stop, _ in mutant.converged_at}
    return mutant.masked or mutant.stays_equal and len(mutant.converged_at) == 2 and len(stops) == 1
