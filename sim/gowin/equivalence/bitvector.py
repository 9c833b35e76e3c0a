# SPDX-License-Identifier: MIT
"""Arithmetic on words of a formula's literals, to say things of registers as one would of numbers.

A word is a sequence of literals, unsigned, the lowest bit first; shorter ones count as extended
with zeros. What is returned is new gates of the formula.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import zip_longest

from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula

__all__ = ["BitVector", "BitVectorLogic"]

BitVector = Sequence[int]

_AND, _XOR3, _MAJORITY = 0x8888, 0x9696, 0xE8E8
_ULE = 0xD4D4
"""Of bits a, b and what the lower bits say: a < b, or a == b and the lower bits say so."""


class BitVectorLogic:
    """Gates between words."""

    def __init__(self, formula: Formula):
        self.formula = formula

    def constant(self, value: int) -> BitVector:
        return [TRUE if value >> at & 1 else -TRUE for at in range(max(value.bit_length(), 1))]

    def free(self, width: int) -> BitVector:
        """A word that may be anything."""
        return [self.formula.new() for _ in range(width)]

    def all_of(self, literals: Iterable[int]) -> int:
        """Whether all hold."""
        return reduce(lambda one, other: self.formula.table(_AND, (one, other)), literals, TRUE)

    def any_of(self, literals: Iterable[int]) -> int:
        """Whether one holds."""
        return -self.all_of(-literal for literal in literals)

    def equal(self, one: BitVector, other: BitVector) -> int:
        return self.all_of(-self.formula.xor(*bits) for bits in _bits(one, other))

    def ule(self, one: BitVector, other: BitVector) -> int:
        """``one <= other``."""
        lower = TRUE
        for bits in _bits(one, other):
            lower = self.formula.table(_ULE, (*bits, lower))
        return lower

    def masked(self, keep: int, word: BitVector) -> BitVector:
        """``word if keep else 0``."""
        return [self.all_of([keep, literal]) for literal in word]

    def plus(self, *words: BitVector) -> BitVector:
        """The sum, with all its bits."""
        return reduce(self._plus, words)

    def _plus(self, one: BitVector, other: BitVector) -> BitVector:
        total, carry = [], -TRUE
        for bits in _bits(one, other):
            total.append(self.formula.table(_XOR3, (*bits, carry)))
            carry = self.formula.table(_MAJORITY, (*bits, carry))
        return [*total, carry]


def _bits(one: BitVector, other: BitVector) -> Iterable[tuple[int, int]]:
    return zip_longest(one, other, fillvalue=-TRUE)
