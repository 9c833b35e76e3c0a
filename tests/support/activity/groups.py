# SPDX-License-Identifier: MIT
"""Statements that change together, found from what they read and write alone.

A group must be evaluated whenever something changed that one of its statements reads. Two groups
are alike when they have much of this in common: the likeness of groups A and B is

    |names of A & names of B| / |names of A | names of B|

over the names that their statements read or write. The pair that is most alike is joined first,
until no pair reaches `LEAST_LIKENESS`. A pair is not joined when a third group would have to be
evaluated both after and before it.
"""

import heapq
from collections.abc import Iterable
from graphlib import TopologicalSorter

from support.activity.statements import Statement

__all__ = ["find_groups"]

LEAST_LIKENESS = 0.08
"""Half the value makes half as many groups, and a third more is evaluated per cycle."""
MOST_SHARED = 60
"""What more groups have in common, such as a reset, does not make them alike."""


def find_groups(
    statements: list[Statement], drivers: list[set[int]], *, ignored: Iterable[str] = ()
) -> list[list[Statement]]:
    """Groups in the order of evaluation, from the result of `in_order`.

    ``ignored`` are names that make nothing alike.
    """
    joining = _Joining(statements, drivers, frozenset(ignored))
    joining.run()
    return [[statements[i] for i in sorted(group)] for group in joining.in_order()]


class _Joining:
    """Groups by number; a joined pair keeps the number of its first."""

    def __init__(
        self, statements: list[Statement], drivers: list[set[int]], ignored: frozenset[str]
    ):
        self._drivers = drivers
        self._groups = {i: [i] for i in range(len(statements))}
        self._names = [(s.reads.keys() | s.writes.keys()) - ignored for s in statements]
        self._having: dict[str, set[int]] = {}
        for i, names in enumerate(self._names):
            for name in names:
                self._having.setdefault(name, set()).add(i)
        # All groups that come before and after one, as bits.
        self._before = [0] * len(statements)
        self._after = [0] * len(statements)
        for i, first in enumerate(drivers):
            for j in first:
                self._before[i] |= self._before[j] | 1 << j
        for i in reversed(range(len(statements))):
            for j in drivers[i]:
                self._after[j] |= self._after[i] | 1 << i
        self._joins = [0] * len(statements)
        self._pairs: list[tuple[float, int, int, int, int, int]] = []

    def run(self) -> None:
        """Join until no pair is alike."""
        for i in self._groups:
            self._propose(i)
        while self._pairs:
            _, _, a, b, *joins = heapq.heappop(self._pairs)
            is_fresh = joins == [self._joins[a], self._joins[b]]
            if is_fresh and b in self._groups and a in self._groups and not self._between(a, b):
                self._join(a, b)
                self._propose(a)

    def in_order(self) -> list[list[int]]:
        """The places of each group's statements."""
        owner = {i: number for number, group in self._groups.items() for i in group}
        first = {
            number: sorted({owner[j] for i in group for j in self._drivers[i]} - {number})
            for number, group in self._groups.items()
        }
        return [self._groups[number] for number in TopologicalSorter(first).static_order()]

    def _propose(self, a: int) -> None:
        shared = [self._having[name] for name in self._names[a]]
        for b in set().union(*(having for having in shared if len(having) <= MOST_SHARED)) - {a}:
            common = len(self._names[a] & self._names[b])
            likeness = common / len(self._names[a] | self._names[b])
            if likeness >= LEAST_LIKENESS:
                size = len(self._groups[a]) + len(self._groups[b])
                # Of equal pairs the smaller, then the first: the same in every run.
                pair = (-likeness, size, a, b, self._joins[a], self._joins[b])
                heapq.heappush(self._pairs, pair)

    def _between(self, a: int, b: int) -> int:
        between = self._after[a] & self._before[b] | self._after[b] & self._before[a]
        return between & ~(1 << a | 1 << b)

    def _join(self, a: int, b: int) -> None:
        self._groups[a] += self._groups.pop(b)
        self._joins[a] += 1
        for name in self._names[b]:
            self._having[name].discard(b)
            self._having[name].add(a)
        self._names[a] = self._names[a] | self._names[b]
        pair = 1 << a | 1 << b
        before = self._before[a] = (self._before[a] | self._before[b]) & ~pair
        after = self._after[a] = (self._after[a] | self._after[b]) & ~pair
        for other in self._groups:
            if before >> other & 1:
                self._after[other] = (self._after[other] | after | 1 << a) & ~(1 << b)
            if after >> other & 1:
                self._before[other] = (self._before[other] | before | 1 << a) & ~(1 << b)
