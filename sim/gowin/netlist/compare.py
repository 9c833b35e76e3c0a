# SPDX-License-Identifier: MIT
"""Runs two netlists with the same recorded input and compares every register in every cycle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim, Recording

__all__ = ["Comparison", "Difference", "compare", "watch_pairs"]

PART = 20_000
"""Cycles between two reports of progress."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Difference:
    """The first cycle in which two netlists differ, and the registers and pads that differ."""

    cycle: int
    signals: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What was compared, and the first difference or None."""

    cycles: int
    registers: int
    difference: Difference | None


def watch_pairs(
    one: BitParallelSim, other: BitParallelSim, registers: Mapping[str, str]
) -> list[tuple[str, int, int]]:
    """The name in ``other`` and both nets, of common registers and of all output pads."""
    pairs = []
    for here, there in sorted(registers.items()):
        if here in one.flat.index and there in other.flat.index:
            mine = one.flat.cells[one.flat.index[here]]
            twin = other.flat.cells[other.flat.index[there]]
            pairs.append((there, mine.ports["Q"][0], twin.ports["Q"][0]))
    for name, nets in sorted(one.flat.netlist.outputs.items()):
        others = other.flat.netlist.outputs.get(name, ())
        pairs += [(name, *both) for both in zip(nets, others, strict=False)]
    return pairs


def compare(
    one: BitParallelSim,
    other: BitParallelSim,
    recording: Recording,
    registers: Mapping[str, str],
    *,
    progress: Progress = lambda cycles: None,
) -> Comparison:
    """Replay a recording to both, from power-up on, and compare all pairs after every cycle.

    ``registers`` maps names in ``one`` to names in ``other``.
    """
    pairs = watch_pairs(one, other, registers)
    for sim, side in ((one, 1), (other, 2)):
        sim.replay(recording)
        sim.watch([pair[side] for pair in pairs])  # type: ignore[misc]
        sim.reset()
    try:
        done = 0
        while done < recording.cycles:
            size = min(PART, recording.cycles - done)
            hashes = []
            for sim in (one, other):
                sim.run(size)
                hashes.append(sim.take_hashes())
            wrong = np.flatnonzero(hashes[0] != hashes[1])
            if len(wrong):
                cycle = done + int(wrong[0]) + 1
                signals = _differing(one, other, pairs, cycle)
                return Comparison(cycle, len(pairs), Difference(cycle, signals))
            done += size
            progress(done)
    finally:
        for sim in (one, other):
            sim.replay(None)
            sim.watch([])
    return Comparison(done, len(pairs), None)


def _differing(
    one: BitParallelSim, other: BitParallelSim, pairs: list[tuple[str, int, int]], cycle: int
) -> tuple[str, ...]:
    """Names of what differs after ``cycle`` cycles; runs both again up to there."""
    for sim in (one, other):
        sim.reset()
        sim.run(cycle)
    return tuple(name for name, mine, its in pairs if (one.net(mine) ^ other.net(its)) & 1)
