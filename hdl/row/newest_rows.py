# SPDX-License-Identifier: MIT
"""The K and V' rows of the token that is being computed, on their way into the rings."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import K_WRITE, TO_OPERAND, V_WRITE
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.row.sequencer import ControlWord
from glintfpga.quant.blink.plan import NumberPlan

__all__ = ["NewestRows"]


class NewestRows(wiring.Component):
    """Collects both rows and strobes their writes.

    The last SCORE group has the newest K row in it, which reaches its multipliers from the register
    that is being filled or is filled, so that no group waits for the write.

    Members
    -------
    word, last : In
        Of the sequencer.
    projected, rotated : In
        Of `Operand`.
    k, v : Out
        The rows.
    write_k, write_v : Out(1)
        Strobes: each is complete.
    newest_k : Out
        As ``k``, a cycle earlier.
    use_newest : Out(1)
        The lane of the newest row takes ``newest_k`` in place of what it reads.
    """

    def __init__(self, *, plan: NumberPlan, lanes: int) -> None:
        self.lanes = lanes
        row = data.ArrayLayout(signed(plan.weight_width), 3)
        bits = 3 * plan.weight_width
        super().__init__(
            {
                "word": In(ControlWord),
                "last": In(1),
                "projected": In(row),
                "rotated": In(row),
                "k": Out(bits),
                "v": Out(bits),
                "write_k": Out(1),
                "write_v": Out(1),
                "newest_k": Out(bits),
                "use_newest": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word = self.word
        first_k = (word.rows == Rows.K) & ~word.part
        first_v = (word.rows == Rows.V) & ~word.part
        rotated = delay(m, first_k, K_WRITE - 1, "rotated_k")
        last_score = (word.rows == Rows.SCORE) & self.last
        m.d.comb += [
            self.write_k.eq(delay(m, rotated, 1, "write_k")),
            self.newest_k.eq(Mux(rotated, self.rotated.as_value(), self.k)),
            self.use_newest.eq(delay(m, last_score, TO_OPERAND, "use_newest")),
        ]
        m.d.sync += self.k.eq(self.newest_k)
        # With two lanes, the third number comes a cycle after the others.
        late = int(self.lanes == 2)
        a, b, c = (self.projected[i] for i in range(3))
        m.d.comb += self.write_v.eq(delay(m, first_v, V_WRITE + late, "write_v"))
        m.d.sync += self.v.eq(Cat(delay(m, a, late, "v0"), delay(m, b, late, "v1"), c))
        return m
