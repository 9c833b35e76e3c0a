# SPDX-License-Identifier: MIT
"""The vector that all lanes multiply their rows with: h, or the rotated q."""

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import ROTATE, TO_OPERAND
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.primitives.fixed import saturate
from glintfpga.hdl.row.rope import Rope
from glintfpga.hdl.row.sequencer import ControlWord
from glintfpga.quant.blink.plan import NumberPlan

__all__ = ["Operand"]


class Operand(wiring.Component):
    """Changes with the first group of a pass, of GATE and of LOGIT to h, with the first of SCORE to
    the rotated q, in the cycle in which either is new; stays between.

    Parameters
    ----------
    plan : NumberPlan
    lanes : int
    first_rows : Rows
        The matrix that a pass begins with.

    Members
    -------
    word, first : In
        Of the sequencer.
    h : In
        Of the norm.
    values : In
        Of the lanes.
    cos, sin : In
        Of the position.
    o : Out
        The operand, `TO_OPERAND` cycles after the word of its group.
    kept : Out
        The operand of the cycle before.
    projected : Out
        The three numbers of q, k or v', with the values; with two lanes the third comes a cycle
        later.
    rotated : Out
        The same behind RoPE, `ROTATE` cycles later, all three in one cycle.
    """

    def __init__(self, *, plan: NumberPlan, lanes: int, first_rows: Rows) -> None:
        self.plan = plan
        self.lanes = lanes
        self.first_rows = first_rows
        row = data.ArrayLayout(signed(plan.weight_width), 3)
        angle = signed(plan.rope.width)
        super().__init__(
            {
                "word": In(ControlWord),
                "first": In(1),
                "h": In(row),
                "values": In(data.ArrayLayout(signed(plan.value.width), lanes)),
                "cos": In(angle),
                "sin": In(angle),
                "o": Out(row),
                "kept": Out(row),
                "projected": Out(row),
                "rotated": Out(row),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rope = rope = Rope(plan=self.plan)
        projected, rotated = self.projected, self.rotated
        for i in range(3):
            value = self.values[i % self.lanes]
            m.d.comb += projected[i].eq(saturate(value, self.plan.weight_width))
        third = delay(m, projected[2], ROTATE - (self.lanes == 2), "third")
        m.d.comb += [
            rope.a.eq(projected[0]),
            rope.b.eq(projected[1]),
            rope.cos.eq(self.cos),
            rope.sin.eq(self.sin),
            rotated[0].eq(rope.o_a),
            rotated[1].eq(rope.o_b),
            rotated[2].eq(third),
        ]
        word = self.word
        first_of_pass = (word.rows == self.first_rows) & ~word.part
        new_h = first_of_pass | (word.rows == Rows.GATE) | (word.rows == Rows.LOGIT)
        new_q = (word.rows == Rows.SCORE) & self.first
        take_h = delay(m, new_h, TO_OPERAND, "new_h")
        take_q = delay(m, new_q, TO_OPERAND, "new_q")
        with m.If(take_h):
            m.d.comb += self.o.eq(self.h)
        with m.Elif(take_q):
            m.d.comb += self.o.eq(rotated)
        with m.Else():
            m.d.comb += self.o.eq(self.kept)
        m.d.sync += self.kept.eq(self.o)
        return m
