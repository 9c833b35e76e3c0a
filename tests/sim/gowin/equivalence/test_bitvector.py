# SPDX-License-Identifier: MIT
"""Words of literals add and compare as numbers do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.sim.gowin.equivalence.bitvector import BitVectorLogic
from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula

NUMBERS = st.integers(0, 300)


def fixed(words, value, width):
    """A word that only assumptions make ``value``; they come with it."""
    word = words.free(width)
    return word, [bit if value >> at & 1 else -bit for at, bit in enumerate(word)]


def value(formula, literal):
    return (formula.model[abs(literal) - 1] > 0) == (literal > 0)


@pytest.mark.quick
@given(NUMBERS, NUMBERS, st.integers(0, 3))
def test_sums_and_comparisons(one, other, wider):
    """Of constants and of words that may be anything, of different widths."""
    formula = Formula()
    words = BitVectorLogic(formula)
    a, given_a = fixed(words, one, 9)
    b, given_b = fixed(words, other, 9 + wider)
    total, masked = words.plus(a, b, words.constant(5)), words.masked(a[0], b)
    gates = [
        (words.equal(a, b), one == other),
        (words.ule(a, b), one <= other),
        (words.ule(words.constant(one), b), one <= other),
        (words.ule(b, words.constant(one)), other <= one),
        (words.all_of(a), one == 511),
        (words.any_of(a), one != 0),
        (words.equal(words.constant(one), words.constant(other)), one == other),
    ]
    assert formula.solve([*given_a, *given_b])
    assert sum(value(formula, bit) << at for at, bit in enumerate(total)) == one + other + 5
    low = sum(value(formula, bit) << at for at, bit in enumerate(masked))
    assert low == (other if one & 1 else 0)
    for gate, expected in gates:
        assert value(formula, gate) == expected


@pytest.mark.parametrize("number", [0, 1, 2, 12, 2047])
def test_constants(number):
    word = BitVectorLogic(Formula()).constant(number)
    assert len(word) == max(number.bit_length(), 1)
    assert sum((bit == TRUE) << at for at, bit in enumerate(word)) == number


def test_nothing_at_all():
    words = BitVectorLogic(Formula())
    assert words.all_of([]) == TRUE
    assert words.any_of([]) == -TRUE
