# SPDX-License-Identifier: MIT
"""A registered multiplier: the chip's DSP primitive on the board, its twin in logic elsewhere."""

from typing import Any

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.vendor import GowinPlatform

__all__ = ["Multiplier"]


class Multiplier(wiring.Component):
    """``p = a * b``, both signed. Latency 2 cycles: operands, then product, are registered.

    On a Gowin platform this is MULT9X9 (both operands at most 9 bits) or MULT18X18 with AREG,
    BREG and OUT_REG on; the tools infer neither these registers nor their timing (nextpnr has no
    multiplier timing), so it is never left to inference. ``in_logic`` uses the twin there too.
    Operands above 18 bits are refused.

    ``outside`` lists operands (a, b) or product (p) registered in flip-flops instead of in the DSP
    block. The router can time flip-flops but not DSP pins, so only wires to and from the block stay
    untimed. Synthesis merges the flip-flops of an operand that several multipliers share.
    """

    def __init__(
        self, *, a_width: int, b_width: int, in_logic: bool = False, outside: str = ""
    ) -> None:
        widest = max(a_width, b_width)
        if widest > 18:
            raise ValueError(f"operands must have at most 18 bits, not {widest!r}")
        self.a_width = a_width
        self.b_width = b_width
        self.in_logic = in_logic
        self.outside = outside
        self.primitive_width = 9 if widest <= 9 else 18
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(signed(b_width)),
                "p": Out(signed(a_width + b_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if isinstance(platform, GowinPlatform) and not self.in_logic:
            width = self.primitive_width
            a, b = Signal(signed(width)), Signal(signed(width))
            product = Signal(signed(2 * width))
            for name, to, value in (("a", a, self.a), ("b", b, self.b), ("p", self.p, product)):
                m.d["sync" if name in self.outside else "comb"] += to.eq(value)
            m.submodules.dsp = self._dsp(a, b, product)
            return m
        a = Signal(signed(self.a_width))
        b = Signal(signed(self.b_width))
        m.d.sync += [a.eq(self.a), b.eq(self.b), self.p.eq(a * b)]
        return m

    def _dsp(self, a: Signal, b: Signal, product: Signal) -> Instance:
        width = self.primitive_width
        return Instance(
            f"MULT{width}X{width}",
            p_AREG=Const("a" not in self.outside, 1),
            p_BREG=Const("b" not in self.outside, 1),
            p_OUT_REG=Const("p" not in self.outside, 1),
            p_PIPE_REG=Const(0, 1),
            p_ASIGN_REG=Const(0, 1),
            p_BSIGN_REG=Const(0, 1),
            p_SOA_REG=Const(0, 1),
            p_MULT_RESET_MODE="SYNC",
            i_A=a,
            i_B=b,
            i_SIA=Const(0, width),
            i_SIB=Const(0, width),
            i_ASIGN=Const(1, 1),
            i_BSIGN=Const(1, 1),
            i_ASEL=Const(0, 1),
            i_BSEL=Const(0, 1),
            i_CE=Const(1, 1),
            i_CLK=ClockSignal(),
            i_RESET=Const(0, 1),
            o_DOUT=product,
        )
