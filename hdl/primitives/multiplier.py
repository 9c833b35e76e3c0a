# SPDX-License-Identifier: MIT
"""A registered multiplier: the chip's DSP primitive on the board, its twin in logic elsewhere."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.vendor import GowinPlatform

__all__ = ["Multiplier"]


class Multiplier(wiring.Component):
    """``p = a * b``, both signed. Operands are registered, and the product if ``cycles`` is 2.

    On a Gowin platform this is MULT9X9 (both operands at most 9 bits) or MULT18X18, without its own
    registers: those are flip-flops, so that the router times all ways to and from the block (see
    `glintfpga.boards.gowin.router_delays`). Synthesis merges the flip-flops of an operand that
    several multipliers share, unless one of them is ``apart``: then its operand registers begin
    with ones instead of zeros, so that they are others, near to it. ``in_logic`` uses the twin
    there too. Operands above 18 bits are refused.
    """

    def __init__(
        self,
        *,
        a_width: int,
        b_width: int,
        cycles: int = 2,
        apart: bool = False,
        in_logic: bool = False,
    ) -> None:
        widest = max(a_width, b_width)
        if widest > 18:
            raise ValueError(f"operands must have at most 18 bits, not {widest!r}")
        if cycles not in (1, 2):
            raise ValueError(f"cycles must be 1 or 2, not {cycles!r}")
        self.a_width = a_width
        self.b_width = b_width
        self.cycles = cycles
        self.apart = apart
        self.in_logic = in_logic
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
        operand_a = Signal(signed(self.a_width), init=-self.apart)
        operand_b = Signal(signed(self.b_width), init=-self.apart)
        m.d.sync += [operand_a.eq(self.a), operand_b.eq(self.b)]
        if isinstance(platform, GowinPlatform) and not self.in_logic:
            product = Signal(signed(2 * self.primitive_width))
            m.submodules.dsp = self._dsp(operand_a, operand_b, product)
        else:
            product = operand_a * operand_b
        m.d["sync" if self.cycles == 2 else "comb"] += self.p.eq(product)
        return m

    def _dsp(self, a: Signal, b: Signal, product: Signal) -> Instance:
        width = self.primitive_width
        registers = ("AREG", "BREG", "OUT_REG", "PIPE_REG", "ASIGN_REG", "BSIGN_REG", "SOA_REG")
        return Instance(
            f"MULT{width}X{width}",
            **{f"p_{name}": Const(0, 1) for name in registers},
            p_MULT_RESET_MODE="SYNC",
            i_A=_extended(a, width),
            i_B=_extended(b, width),
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


def _extended(operand: Signal, width: int) -> Value:
    return Cat(operand, operand[-1].replicate(width - len(operand)))
