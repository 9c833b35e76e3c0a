# SPDX-License-Identifier: MIT
"""The residual 3-vector x."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.hdl.primitives.fixed import saturate
from glintfpga.quant.blink.plan import NumberPlan

__all__ = ["Residual"]


class Residual(wiring.Component):
    """x, new in the cycle after one of three strobes.

    Members
    -------
    load, embedding : In
        ``x = embedding``.
    add_quotient, quotient, add_shifted, shifted : In
        ``x`` plus the quotient, or plus the shifted sum, rounded (both have one bit below x) and
        saturated.
    x : Out
    """

    def __init__(self, *, plan: NumberPlan) -> None:
        self.plan = plan
        vector, guarded = signed(plan.x.width), signed(19)
        super().__init__(
            {
                "load": In(1),
                "embedding": In(data.ArrayLayout(vector, 3)),
                "add_quotient": In(1),
                "quotient": In(data.ArrayLayout(guarded, 3)),
                "add_shifted": In(1),
                "shifted": In(data.ArrayLayout(guarded, 3)),
                "x": Out(data.ArrayLayout(vector, 3)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for i in range(3):
            delta = Signal(signed(19), name=f"delta{i}")
            m.d.comb += delta.eq(Mux(self.add_quotient, self.quotient[i], self.shifted[i]))
            total = (delta + Cat(Const(1, 1), self.x[i]).as_signed()) >> 1
            with m.If(self.load):
                m.d.sync += self.x[i].eq(self.embedding[i])
            with m.Elif(self.add_quotient | self.add_shifted):
                m.d.sync += self.x[i].eq(saturate(total, self.plan.x.width))
        return m
