# SPDX-License-Identifier: MIT
"""RMSNorm of a 3-vector."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import NORM, SCALE, SQUARE
from glintfpga.hdl.primitives.fixed import bit_length
from glintfpga.hdl.primitives.memory import rom
from glintfpga.hdl.primitives.multiplier import Multiplier
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.tables import EPSILON_SUM, RSQRT, RSQRT_LOG2
from glintfpga.quant.numbers.qformat import shift_round

__all__ = ["RmsNorm"]


class RmsNorm(wiring.Component):
    """``h = y / sqrt(mean(y**2) + 1e-5)`` with ``y = x + loop_embedding`` or ``y = x``.

    Latency `NORM` cycles; ``h`` comes straight from a multiplier. The inputs must be stable for the
    first ``SQUARE + 2`` cycles: y is used twice, and nothing is delayed for the second use. With
    one cycle a multiplier:

        cycle 0: y   1: squares, bit length of y   2: normalize sum, table address
              3: table, y normalized   4: h

    Members
    -------
    x, loop_embedding : In
        Formats of x.
    add_loop : In(1)
        Add ``loop_embedding``.
    h : Out
        Format of h.
    """

    def __init__(self, *, plan: NumberPlan) -> None:
        self.plan = plan
        self.latency = NORM
        vector = data.ArrayLayout(signed(plan.x.width), 3)
        super().__init__(
            {
                "x": In(vector),
                "loop_embedding": In(vector),
                "add_loop": In(1),
                "h": Out(data.ArrayLayout(signed(plan.h.width), 3)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self.plan
        wide = plan.x.width + 1
        y = [Signal(signed(wide), name=f"y{i}") for i in range(3)]
        y_q = [Signal(signed(wide), name=f"y{i}_q") for i in range(3)]
        left = Signal(range(14))
        total = Signal(2 * wide + 2)
        normal = Signal(34)
        squares = []
        bits = 0
        for i in range(3):
            loop = Mux(self.add_loop, self.loop_embedding[i], 0)
            m.d.comb += y[i].eq(self.x[i] + loop)
            m.d.sync += y_q[i].eq(y[i])
            bits |= y_q[i][:-1] ^ y_q[i][-1].replicate(wide - 1)
            m.submodules[f"square{i}"] = square = Multiplier(
                a_width=wide, b_width=wide, cycles=SQUARE
            )
            m.d.comb += [square.a.eq(y[i]), square.b.eq(y[i])]
            squares.append(square.p)
        length = bit_length(bits)
        m.d.sync += left.eq(Mux(length > 3, 16 - length, 13))
        a, b, c = (square.as_unsigned() for square in squares)
        m.d.sync += total.eq(a + b + c + EPSILON_SUM)
        m.d.comb += normal.eq(total << Cat(0, left))
        # Four octaves above 2**30: the mantissa is what follows the leading one.
        index = Signal(10)
        with m.If(normal[33]):
            m.d.comb += index.eq(Cat(normal[25:33], Const(3, 2)))
        with m.Elif(normal[32]):
            m.d.comb += index.eq(Cat(normal[24:32], Const(2, 2)))
        with m.Elif(normal[31]):
            m.d.comb += index.eq(Cat(normal[23:31], Const(1, 2)))
        with m.Else():
            m.d.comb += index.eq(normal[22:30])
        rsqrt = rom(m, "rsqrt", RSQRT, 16, index)
        for i in range(3):
            m.submodules[f"scale{i}"] = scale = Multiplier(a_width=wide, b_width=17, cycles=SCALE)
            shifted = Signal(signed(wide), name=f"m{i}")
            m.d.sync += shifted.eq(y_q[i] << left)
            m.d.comb += [scale.a.eq(shifted), scale.b.eq(rsqrt)]
            m.d.comb += self.h[i].eq(shift_round(scale.p, RSQRT_LOG2 - plan.h.frac))
        return m
