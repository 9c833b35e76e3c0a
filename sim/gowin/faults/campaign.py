# SPDX-License-Identifier: MIT
"""A fault-injection campaign on a decoded bitstream: which faults do recorded runs detect?

1. Each stimulus drives the good chip once; the run is recorded.
2. `glintfpga.sim.gowin.faults.sampler` draws the faults.
3. Proofs find mutants that no run can detect.
4. The recordings are replayed to the others, 63 mutants at a time.

`glintfpga.sim.gowin.faults.mutants` lists the outcomes. A mutant is proved equal in two steps:

- From power-up on, the lines of both chips are idle. In the last cycle before the first byte, all
  registers and memory bits of both are equal, with floating inputs at 0 and at 1.
- From equal states on, no input sequence makes a difference
  (`glintfpga.sim.gowin.equivalence.fault_equivalence`), given the clauses that
  `glintfpga.sim.gowin.equivalence.invariants` proves from that cycle on. A mutant that differs in
  memory contents only has the logic of the good chip and does not need this step.

A mutant that reaches an equal state only later, after the first byte, is silent: another
conversation might have shown the difference.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.fault_equivalence import Equivalence
from glintfpga.sim.gowin.equivalence.invariants import (
    activation_clauses,
    candidates,
    inductive_clauses,
)
from glintfpga.sim.gowin.faults.mutants import Mutant, classify, is_equal
from glintfpga.sim.gowin.faults.patches import overlay, with_buffers
from glintfpga.sim.gowin.faults.result import CampaignResult
from glintfpga.sim.gowin.faults.sampler import GROUPS, FaultSampler, sampled_bytes
from glintfpga.sim.gowin.netlist.bitparallel import ALL, COPIES, BitParallelSim, Recording
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import Netlist

if TYPE_CHECKING:
    from glintfpga.sim.gowin.decode.bitstream import Decoded

__all__ = ["Claim", "campaign", "run_batch"]

CHECKPOINT_CYCLES = 50_000
"""Distance of the cycles in which the mutants' states are compared with the good chip's."""
WORKERS = 2

Claim = Callable[[FlatNetlist, Mapping[int, bool]], frozenset[str]]
"""Given the good chip and its nets at power-up: names of the block RAMs of which it is proved that
no byte is used before it is written."""
Line = tuple[str, str]
"""Names of the pads to the chip and from it."""
Stimulus = Callable[[BitParallelSim], None]
Progress = Callable[[float], None]


def campaign(
    decoded: "Decoded",
    stimuli: Sequence[Stimulus],
    count: int,
    *,
    line: Line,
    idle_s: float,
    seed: int = 1,
    never_read_before_write: Claim = lambda flat, power_up: frozenset(),
    progress: Progress = lambda done: None,
) -> CampaignResult:
    """Inject ``count`` faults and classify their outcomes. Uses `WORKERS` threads.

    Parameters
    ----------
    stimuli:
        Each drives the good chip through its line; the mutants get the same bytes in the same
        cycles, as long as they are not detected. Floating inputs are 0 and 1 in turn. The first
        stimulus may load no other model than the one in the chip.
    line, idle_s:
        The pads of the line, and how long it idles before each stimulus: the chip's self-test must
        be over by then.
    never_read_before_write:
        What is known of the design: contents of these memories at power-up do not matter.

    Raises ``InputError`` when a mutant that was proved equal is detected: the proof is wrong then.
    """
    chip = _Chip(decoded, with_buffers(decoded.netlist), line)
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as workers:
        sims = list(workers.map(partial(chip.record, idle_s=idle_s), stimuli))
        recordings = [sim.recording() for sim in sims]
        progress(count / 4)
        sampled = _sampled(sims)
        sampler = FaultSampler(decoded, chip.good, sims[0].flat, sampled, random.Random(seed))
        mutants: list[Mutant] = []
        for group, share in GROUPS.items():
            for _ in range(round(count * share)):
                mutants.append(sampler.draw(group))
                progress(count / 4 + len(mutants) / 4)
        used_entries = np.bitwise_or.reduce([sim.used_entries() for sim in sims])
        left_out = int((sims[0].read_bytes() & ~sampled & 1).sum())
        flat = sims[0].flat
        del sims
        states = [chip.idle_state(recordings[0], high) for high in (False, True)]
        _prove_stays_equal(mutants, flat, used_entries, states)
        _prove_masked(mutants, chip.simulator(), never_read_before_write)
        _replay(chip, mutants, recordings, workers, lambda done: progress(count / 2 * (1 + done)))
    for mutant in mutants:
        classify(mutant)
    cycles = sum(recording.cycles for recording in recordings)
    return CampaignResult(tuple(mutants), cycles, int(sampled.sum()), left_out)


@dataclass(frozen=True)
class _Chip:
    """The good chip of a campaign."""

    decoded: "Decoded"
    good: Netlist
    line: Line

    def simulator(self) -> BitParallelSim:
        rx, tx = self.line
        return BitParallelSim(self.good, clk_hz=self.decoded.clock_hz, rx=rx, tx=tx)

    def record(self, stimulus: Stimulus, *, idle_s: float) -> BitParallelSim:
        """A simulation after the idle time and the stimulus."""
        sim = self.simulator()
        sim.run(round(idle_s * self.decoded.clock_hz))
        sim.clear_used_entries()
        stimulus(sim)
        return sim

    def idle_state(self, recording: Recording, floating: bool) -> dict[int, bool]:
        """Values of all nets in the last cycle before the first byte."""
        sim = self.simulator()
        sim.reset(floating=ALL * floating)
        sim.run(recording.idle_cycles)
        return dict(enumerate(sim.values().tolist()))


def _sampled(sims: Sequence[BitParallelSim]) -> NDArray[np.uint8]:
    rams = [cell for cell in sims[0].flat.cells if cell.kind == "BSRAM"]
    read = [sim.read_bytes() for sim in sims]
    return sampled_bytes(rams, read[0], sims[0].written_bytes(), np.bitwise_or.reduce(read))


def _prove_stays_equal(
    mutants: Sequence[Mutant],
    flat: FlatNetlist,
    used_entries: NDArray[np.uint32],
    states: Sequence[Mapping[int, bool]],
) -> None:
    in_any_state = Equivalence(flat)
    for mutant in mutants:
        mutant.inequivalent = not (mutant.outcome or in_any_state.is_equivalent(mutant.patch))
    patches = [mutant.patch for mutant in mutants]
    clauses = [
        *candidates(flat, used_entries.tolist(), states[0]),
        *activation_clauses(flat, patches),
    ]
    equivalence = Equivalence(flat, inductive_clauses(flat, clauses, states))
    for mutant in mutants:
        mutant.stays_equal = not mutant.outcome and equivalence.stays_equal(mutant.patch)


def _prove_masked(
    mutants: Sequence[Mutant], sim: BitParallelSim, never_read_before_write: Claim
) -> None:
    sim.reset()
    memories = never_read_before_write(sim.flat, dict(enumerate(sim.values().tolist())))
    for mutant in mutants:
        patch = mutant.patch
        mutant.masked = patch.is_contents and not patch.nothing and patch.cells <= memories


def _replay(
    chip: _Chip,
    mutants: Sequence[Mutant],
    recordings: Sequence[Recording],
    workers: ThreadPoolExecutor,
    progress: Progress,
) -> None:
    """Replay the recordings, one after the other, to all mutants that are not yet detected.

    The idle part comes twice, with floating inputs at 1 and at 0. The first full run includes
    mutants that are proved equal: it tests the proofs.
    """
    runs = [(recordings[0].idle_part, True), *zip(recordings, cycle((False, True)))]
    for number, (recording, floating) in enumerate(runs):
        alive = [one for one in mutants if not (one.outcome or number > 1 and is_equal(one))]
        batches = [alive[at : at + COPIES - 1] for at in range(0, len(alive), COPIES - 1)]
        run = partial(
            run_batch,
            chip.good,
            recording=recording,
            clk_hz=chip.decoded.clock_hz,
            line=chip.line,
            floating=floating,
        )
        for at, _ in enumerate(workers.map(run, batches), 1):
            progress((number + at / len(batches)) / len(runs))


def run_batch(
    good: Netlist,
    batch: Sequence[Mutant],
    recording: Recording,
    *,
    clk_hz: float,
    line: Line,
    floating: bool = False,
) -> None:
    """Replay a recording to at most 63 mutants, and store in them what was observed.

    ``floating`` is the value of floating inputs. Raises ``InputError`` when the good chip does not
    answer as recorded, and when a mutant that was proved equal is detected.
    """
    chip = overlay(good, [mutant.patch for mutant in batch])
    sim = BitParallelSim(chip, clk_hz=clk_hz, rx=line[0], tx=line[1], loops=True)
    sim.replay(recording)
    sim.reset(
        floating=ALL * floating,
        mutations=[partial(mutant.patch.apply, copy=1 + at) for at, mutant in enumerate(batch)],
    )
    copies = (1 << (len(batch) + 1)) - 2
    for checkpoint in _checkpoints(recording):
        size = checkpoint - sim.cycles
        complete = sim.run_replay(size, copies) == size
        same = ~(sim.differing | sum(1 << copy for copy in sim.noticed))
        for copy, mutant in enumerate(batch, 1):
            if same >> copy & 1:
                mutant.converged = mutant.patch.is_contents
                if checkpoint == recording.idle_cycles:
                    mutant.converged_at.add((checkpoint, floating))
        if not complete:
            break
    _check_good(sim, recording)
    for copy, mutant in enumerate(batch, 1):
        _observe(sim, copy, mutant)


def _check_good(sim: BitParallelSim, recording: Recording) -> None:
    edges = sim.tx_edges()
    if not np.array_equal(edges, recording.from_chip[: len(edges)]):
        raise InputError("the good chip in copy 0 answered differently: the mutants reach into it")


def _observe(sim: BitParallelSim, copy: int, mutant: Mutant) -> None:
    mutant.activated |= bool(sim.activated >> copy & 1)
    mutant.latched |= bool(sim.latched >> copy & 1)
    if copy in sim.noticed:
        noticed = sim.noticed[copy]
        mutant.outcome = "noticed"
        mutant.why = f"cycle {noticed.cycle}, {noticed.output or 'a signal that oscillates'}"
        if is_equal(mutant):
            raise InputError(f"{mutant.what} was shown to be equal, but differs: {mutant.why}")


def _checkpoints(recording: Recording) -> Iterator[int]:
    """The last idle cycle, if there is one, and every `CHECKPOINT_CYCLES` from there on."""
    if recording.idle_cycles:
        yield recording.idle_cycles
    yield from range(recording.idle_cycles + CHECKPOINT_CYCLES, recording.cycles, CHECKPOINT_CYCLES)
    yield recording.cycles
