# SPDX-License-Identifier: MIT
import pytest
from amaranth.hdl import Module, Signal, signed, unsigned

from glintfpga.hdl.primitives.fixed import bit_length, saturate, shift_guarded
from glintfpga.quant.numbers.qformat import QFormat, shift_round
from support.component_bench import simulate


def evaluate(expression, signal, values):
    """What an expression of a signal is for each value, and its width."""
    m = Module()
    result = Signal(expression.shape())
    m.d.comb += result.eq(expression)
    seen = []

    async def testbench(ctx):
        for value in values:
            ctx.set(signal, value)
            seen.append(ctx.get(result))

    simulate(m, testbench)
    return seen


SIGNED, UNSIGNED = range(-32, 32), range(64)


class TestSaturate:
    @pytest.mark.parametrize("width", range(2, 8))
    def test_all(self, width):
        value = Signal(signed(6))
        got = evaluate(saturate(value, width), value, SIGNED)
        assert got == [QFormat(width, 0).saturate(number) for number in SIGNED]

    def test_width(self):
        assert saturate(Signal(signed(6)), 4).shape() == signed(4)
        assert saturate(Signal(signed(6)), 9).shape() == signed(6)

    @pytest.mark.quick
    def test_unsigned(self):
        with pytest.raises(AssertionError, match="only signed values saturate"):
            saturate(Signal(6), 4)


@pytest.mark.parametrize(("shape", "values"), [(signed(6), SIGNED), (unsigned(6), UNSIGNED)])
@pytest.mark.parametrize("shift", range(8))
class TestShifts:
    def test_shift_round_is_the_same_text(self, shape, values, shift):
        value = Signal(shape)
        got = evaluate(shift_round(value, shift), value, values)
        assert got == [shift_round(number, shift) for number in values]


@pytest.mark.parametrize("least", range(-3, 5))
@pytest.mark.parametrize("shift", range(5))
def test_shift_guarded(least, shift):
    value, amount = Signal(signed(6)), Signal(3, init=shift)
    guarded = shift_guarded(value, least, amount)
    got = evaluate((guarded + 1) >> 1, value, SIGNED)
    total = least + shift
    assert got == [
        shift_round(number, total) if total >= 0 else number << -total for number in SIGNED
    ]


def test_bit_length():
    value = Signal(6)
    assert evaluate(bit_length(value), value, UNSIGNED) == [n.bit_length() for n in UNSIGNED]
