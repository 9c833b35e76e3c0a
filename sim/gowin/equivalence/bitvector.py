# SPDX-License-Identifier: MIT
"""Bit vectors over the literals of a formula: comparisons and sums of registers.

A bit vector is a sequence of literals, an unsigned number with the least significant bit first; the
shorter of two operands is extended with zeros. Every operation adds gates to the formula.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import zip_longest

from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula

__all__ = ["BitVector", "BitVectorLogic"]

BitVector = Sequence[int]

_AND, _XOR3, _MAJORITY = 0x8888, 0x9696, 0xE8E8
_ULE = 0xD4D4
"""One bit of an unsigned ``<=`` comparator, from a, b and the result of the lower bits."""


class BitVectorLogic:
    """Gates over bit vectors."""

    def __init__(self, formula: Formula):
        self.formula = formula

    def constant(self, value: int) -> BitVector:
        return [TRUE if value >> at & 1 else -TRUE for at in range(max(value.bit_length(), 1))]

    def free(self, width: int) -> BitVector:
        """An unconstrained bit vector."""
        return [self.formula.new() for _ in range(width)]

    def all_of(self, literals: Iterable[int]) -> int:
        """The conjunction."""
        return reduce(lambda one, other: self.formula.lut(_AND, (one, other)), literals, TRUE)

    def any_of(self, literals: Iterable[int]) -> int:
        """The disjunction."""
        return -self.all_of(-literal for literal in literals)

    def equal(self, one: BitVector, other: BitVector) -> int:
        return self.all_of(-self.formula.xor(*bits) for bits in _bits(one, other))

    def ule(self, one: BitVector, other: BitVector) -> int:
        """Unsigned ``one <= other``."""
        lower = TRUE
        for bits in _bits(one, other):
            lower = self.formula.lut(_ULE, (*bits, lower))
        return lower

    def masked(self, keep: int, word: BitVector) -> BitVector:
        """``word if keep else 0``."""
        return [self.all_of([keep, literal]) for literal in word]

    def plus(self, *words: BitVector) -> BitVector:
        """The sum, wide enough for all carries."""
        return reduce(self._plus, words)

    def _plus(self, one: BitVector, other: BitVector) -> BitVector:
        total, carry = [], -TRUE
        for bits in _bits(one, other):
            total.append(self.formula.lut(_XOR3, (*bits, carry)))
            carry = self.formula.lut(_MAJORITY, (*bits, carry))
        return [*total, carry]


def _bits(one: BitVector, other: BitVector) -> Iterable[tuple[int, int]]:
    return zip_longest(one, other, fillvalue=-TRUE)
