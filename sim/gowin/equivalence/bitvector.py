# SPDX-License-Identifier: MIT
"""Arithmetic on words of a formula's literals, to say things of registers as one would of numbers.

A word is a sequence of literals, unsigned, the lowest bit first; shorter ones count as extended
with zeros. What is returned is new gates of the formula.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import zip_longest

from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula

__all__ = ["Word", "Words"]

Word = Sequence[int]

_AND, _XOR3, _MAJORITY = 0x8888, 0x9696, 0xE8E8
_AT_MOST = 0xD4D4
"""Of bits a, b and what the lower bits say: a < b, or a == b and the lower bits say so."""


class Words:
    """Gates between words."""

    def __init__(self, formula: Formula):
        self.formula = formula

    def constant(self, value: int) -> Word:
        return [TRUE if value >> at & 1 else -TRUE for at in range(max(value.bit_length(), 1))]

    def free(self, width: int) -> Word:
        """A word that may be anything."""
        return [self.formula.new() for _ in range(width)]

    def every(self, literals: Iterable[int]) -> int:
        """Whether all hold."""
        return reduce(lambda one, other: self.formula.table(_AND, (one, other)), literals, TRUE)

    def some(self, literals: Iterable[int]) -> int:
        """Whether one holds."""
        return -self.every(-literal for literal in literals)

    def equal(self, one: Word, other: Word) -> int:
        return self.every(-self.formula.differ(*bits) for bits in _bits(one, other))

    def at_most(self, one: Word, other: Word) -> int:
        """``one <= other``."""
        lower = TRUE
        for bits in _bits(one, other):
            lower = self.formula.table(_AT_MOST, (*bits, lower))
        return lower

    def masked(self, keep: int, word: Word) -> Word:
        """``word if keep else 0``."""
        return [self.every([keep, literal]) for literal in word]

    def plus(self, *words: Word) -> Word:
        """The sum, with all its bits."""
        return reduce(self._plus, words)

    def _plus(self, one: Word, other: Word) -> Word:
        total, carry = [], -TRUE
        for bits in _bits(one, other):
            total.append(self.formula.table(_XOR3, (*bits, carry)))
            carry = self.formula.table(_MAJORITY, (*bits, carry))
        return [*total, carry]


def _bits(one: Word, other: Word) -> Iterable[tuple[int, int]]:
    return zip_longest(one, other, fillvalue=-TRUE)
