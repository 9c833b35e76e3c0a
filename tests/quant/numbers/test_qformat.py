# SPDX-License-Identifier: MIT
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.numbers.qformat import QFormat, shift_round


def half_up(real):
    return math.floor(real + Fraction(1, 2))


formats = st.builds(
    lambda width, frac, signed: QFormat(width + signed, frac, signed),
    st.integers(1, 30),
    st.integers(-4, 20),
    st.booleans(),
)


class TestShiftRound:
    @given(st.integers(-(2**80), 2**80), st.integers(0, 90))
    def test_int(self, value, shift):
        assert shift_round(value, shift) == half_up(Fraction(value, 2**shift))

    @given(st.lists(st.integers(-(2**61), 2**61), min_size=1), st.integers(0, 60))
    def test_array(self, values, shift):
        want = [shift_round(value, shift) for value in values]
        assert shift_round(np.array(values, np.int64), shift).tolist() == want

    @pytest.mark.quick
    @pytest.mark.parametrize(
        ("value", "want"), [(-6, -1), (-5, -1), (-3, -1), (-2, 0), (1, 0), (2, 1), (5, 1), (6, 2)]
    )
    def test_halves_go_up(self, value, want):
        assert shift_round(value, 2) == want

    def test_no_negative_shift(self):
        with pytest.raises(ValueError, match="shift must not be negative, not -1"):
            shift_round(5, -1)


class TestQFormat:
    @pytest.mark.parametrize(
        ("fmt", "text", "lo", "hi", "ulp"),
        [
            (QFormat(12, 10), "s12.10", -2048, 2047, 2.0**-10),
            (QFormat(10, 8, signed=False), "u10.8", 0, 1023, 2.0**-8),
            (QFormat(2, 5), "s2.5", -2, 1, 2.0**-5),
            (QFormat(1, -3, signed=False), "u1.-3", 0, 1, 8.0),
        ],
    )
    def test_properties(self, fmt, text, lo, hi, ulp):
        assert (str(fmt), fmt.lo, fmt.hi, fmt.ulp) == (text, lo, hi, ulp)

    @pytest.mark.parametrize(("width", "signed", "least"), [(1, True, 2), (0, False, 1)])
    def test_width(self, width, signed, least):
        with pytest.raises(ValueError, match=f"width must be at least {least}, not {width}"):
            QFormat(width, 0, signed)

    @given(formats, st.integers(-(2**40), 2**40))
    def test_saturate(self, fmt, stored):
        want = sorted((fmt.lo, stored, fmt.hi))[1]
        assert fmt.saturate(stored) == want
        assert fmt.saturate(np.array([stored])).tolist() == [want]

    @given(formats, st.integers(-(2**45), 2**45), st.integers(-30, 10))
    def test_quantize(self, fmt, mantissa, exponent):
        real = math.ldexp(mantissa, exponent)
        want = fmt.saturate(half_up(Fraction(real) * Fraction(2) ** fmt.frac))
        assert fmt.quantize(real) == want
        got = fmt.quantize(np.array([real]))
        assert got.dtype == np.int64
        assert got.tolist() == [want]

    @given(formats, st.data())
    def test_stored_numbers_survive(self, fmt, data):
        stored = data.draw(st.integers(fmt.lo, fmt.hi))
        assert fmt.quantize(fmt.real(stored)) == stored

    def test_is_a_value(self):
        assert QFormat(12, 10) == QFormat(12, 10)
        assert len({QFormat(12, 10), QFormat(12, 10), QFormat(12, 10, signed=False)}) == 2
