# SPDX-License-Identifier: MIT
"""Rotary position embedding of a 3-vector's first two numbers."""

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import ROTATE
from glintfpga.hdl.primitives.fixed import saturate
from glintfpga.hdl.primitives.multiplier import Multiplier
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.numbers.qformat import shift_round

__all__ = ["Rope"]


class Rope(wiring.Component):
    """``(a cos - b sin, a sin + b cos)``, rounded and saturated to the format of q and k.

    Latency `ROTATE` cycles, one vector per cycle.

    Members
    -------
    a, b : In
    cos, sin : In
        Constant during a token.
    o_a, o_b : Out
    """

    def __init__(self, *, plan: NumberPlan) -> None:
        self.plan = plan
        number, angle = signed(plan.qk.width), signed(plan.rope.width)
        super().__init__(
            {
                "a": In(number),
                "b": In(number),
                "cos": In(angle),
                "sin": In(angle),
                "o_a": Out(number),
                "o_b": Out(number),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self.plan

        def product(name: str, number: Any, angle: Any) -> Any:
            unit = Multiplier(a_width=plan.qk.width, b_width=plan.rope.width, cycles=ROTATE)
            m.submodules[name] = unit
            m.d.comb += [unit.a.eq(number), unit.b.eq(angle)]
            return unit.p

        a = product("a_cos", self.a, self.cos) - product("b_sin", self.b, self.sin)
        b = product("a_sin", self.a, self.sin) + product("b_cos", self.b, self.cos)
        m.d.comb += [
            self.o_a.eq(saturate(shift_round(a, plan.rope.frac), plan.qk.width)),
            self.o_b.eq(saturate(shift_round(b, plan.rope.frac), plan.qk.width)),
        ]
        return m
