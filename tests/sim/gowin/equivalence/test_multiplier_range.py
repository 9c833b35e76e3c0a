# SPDX-License-Identifier: MIT
"""A multiplier's clauses allow all of its products, and of other numbers those within the range."""

from itertools import product

import pytest

from glintfpga.sim.gowin.equivalence.multiplier_range import product_clauses, range_clauses
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell

WIDTH = 9
OUTS = tuple(range(100, 100 + 2 * WIDTH))


def signed(bits):
    return sum(bit << at for at, bit in enumerate(bits)) - (bits[-1] << len(bits))


def holds(clauses, values):
    return all(any(values[abs(net)] == (net > 0) for net in clause) for clause in clauses)


@pytest.mark.parametrize(
    "bounds", [(low, high) for low in (-16, -15, -9, -8, -1, 0) for high in (0, 1, 7, 8, 11, 15)]
)
def test_ranges_are_exact(bounds):
    nets = range(3, 8)
    clauses = list(range_clauses(nets, *bounds))
    for bits in product((0, 1), repeat=5):
        inside = bounds[0] <= signed(bits) <= bounds[1]
        assert holds(clauses, dict(zip(nets, bits, strict=True))) == inside


def multiplier(a, b, *, signs=(HIGH, HIGH), **parameters):
    ports = {"A": a, "B": b, "ASIGN": signs[:1], "BSIGN": signs[1:], "DOUT": OUTS}
    return Cell("MULT", "m", ports, {"WIDTH": WIDTH, "AREG": 0, "OUT_REG": 1} | parameters)


def extended(nets, by):
    return (*nets, *(by,) * (WIDTH - len(nets)))


def allowed(cell):
    """Least and largest number that all clauses allow, and that all between them are allowed."""
    clauses = list(product_clauses(cell))
    inside = [
        number
        for number in range(-1 << 2 * WIDTH - 1, 1 << 2 * WIDTH - 1)
        if holds(clauses, {net: number >> at & 1 for at, net in enumerate(OUTS)})
    ]
    assert inside == list(range(inside[0], inside[-1] + 1))
    return inside[0], inside[-1]


@pytest.mark.parametrize(
    "cell, bounds",
    [
        # Signed numbers of three and four bits, with copies of the sign above.
        (multiplier(extended((10, 11, 12), 12), extended((13, 14, 15, 16), 16)), (-4 * 7, 4 * 8)),
        # The same unsigned above a zero; only B signed; nothing at A at all.
        (multiplier(extended((10, 11), LOW), extended((13, 14, 15), 15)), (-4 * 3, 3 * 3)),
        (multiplier(extended((10, 11), LOW), extended((13, 14), 14), signs=(LOW, HIGH)), (-6, 3)),
        (multiplier((10, LOW, 11), (13,), signs=(LOW, LOW)), (0, 5)),
        (multiplier((), extended((13, 14), 14)), (0, 0)),
    ],
)
def test_products_of_short_numbers(cell, bounds):
    assert allowed(cell) == bounds


def test_floating_inputs_are_not_alike():
    cell = multiplier(extended((10,), FLOATING), extended((13, 14), 14))
    assert allowed(cell) == (-255 * 2, 256 * 2)


@pytest.mark.quick
def test_large_unsigned_products_may_have_the_top_bit():
    full = tuple(range(10, 19))
    assert not list(product_clauses(multiplier(full, full, signs=(LOW, LOW))))


def test_a_sign_that_is_no_constant_tells_nothing():
    assert not list(product_clauses(multiplier((10,), (13,), signs=(20, HIGH))))
    assert not list(product_clauses(multiplier((10,), (13,), signs=(HIGH, FLOATING))))
