# SPDX-License-Identifier: MIT
"""Residual delta: the softmax quotient, or the shifted down projection."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import DIVIDE
from glintfpga.hdl.primitives.fixed import bit_length, saturate, shift_guarded
from glintfpga.hdl.primitives.memory import rom
from glintfpga.hdl.primitives.multiplier import Multiplier
from glintfpga.quant.blink.plan import DENOMINATOR_WIDTH, NumberPlan
from glintfpga.quant.blink.tables import RECIPROCAL, RECIPROCAL_LOG2

__all__ = ["Divide"]


class Divide(wiring.Component):
    """``quotient = values / denominator`` by a table of reciprocals; ``shifted`` is ``values``
    alone.

    Both have 19 bits, as a larger value would saturate x whatever x is, and one fraction bit more
    than x, which the adder of x rounds off. One shifter serves both: it shifts by
    ``shift_down`` in the cycle after ``hidden``, otherwise by the denominator one cycle before.

        cycle 0: normalize denominator, table address   1: table, normalize values
              1 + DIVIDE: quotient

    Members
    -------
    values, denominator : In
        Stable for the first two cycles.
    hidden, shift_down : In
        Strobe before ``values`` of the down projection; their shift.
    shifted : Out
        Combinational from ``values``.
    quotient : Out
        ``1 + DIVIDE`` cycles after ``values``.
    """

    def __init__(self, *, plan: NumberPlan, value_width: int) -> None:
        self.plan = plan
        self.value_width = value_width
        super().__init__(
            {
                "values": In(data.ArrayLayout(signed(value_width), 3)),
                "denominator": In(DENOMINATOR_WIDTH),
                "hidden": In(1),
                "shift_down": In(4),
                "shifted": Out(data.ArrayLayout(signed(19), 3)),
                "quotient": Out(data.ArrayLayout(signed(19), 3)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self.plan
        # The largest weight raised the maximum when it came, so it is at least 1/2.
        least = plan.weight_p_frac
        amount = Signal(4)
        denominator_bits = bit_length(self.denominator)
        # Chosen a cycle ahead: the shifter and its fan-out are a whole cycle's work.
        m.d.sync += amount.eq(Mux(self.hidden, self.shift_down, denominator_bits - least))
        normal = Signal(DENOMINATOR_WIDTH)
        with m.Switch(denominator_bits):
            for bits in range(least, DENOMINATOR_WIDTH + 1):
                with m.Case(bits):
                    m.d.comb += normal.eq(self.denominator << (DENOMINATOR_WIDTH - bits))
        reciprocal = rom(m, "reciprocal", RECIPROCAL, 17, normal[6:16])
        shift = RECIPROCAL_LOG2 - (plan.v.width - 1) - (plan.x.frac - plan.v.frac)
        for i in range(3):
            m.submodules[f"divide{i}"] = unit = Multiplier(a_width=18, b_width=18, cycles=DIVIDE)
            guarded = saturate(shift_guarded(self.values[i], plan.min_sum_shift, amount), 19)
            m.d.comb += [
                self.shifted[i].eq(guarded),
                unit.a.eq(saturate((guarded + 1) >> 1, 18)),
                unit.b.eq(reciprocal),
                self.quotient[i].eq(unit.p >> (shift - 1)),
            ]
        return m
