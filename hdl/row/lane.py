# SPDX-License-Identifier: MIT
"""A lane: a dot bank and a sum bank of rows, with the multipliers behind each."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import DOT, LOGIT, SWIGLU, TO_OPERAND, VALUE, WEIGH
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.primitives.fixed import saturate, shift_guarded
from glintfpga.hdl.primitives.memory import outside_reset, ram, rom
from glintfpga.hdl.primitives.multiplier import Multiplier
from glintfpga.quant.blink.blocks import RUNNING_MAX_START
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.tables import exp2_table, silu_table
from glintfpga.quant.numbers.qformat import shift_round

__all__ = ["Lane"]


class Lane(wiring.Component):
    """Rows of one memory bank past one vector. Cycles are counted from the dot address, with one
    cycle a multiplier (`glintfpga.firmware.blink.latency`):

        0 dot_address   1 operand   2 products   3 value, score floor
        softmax weight:   4 p enters the sum multipliers, 5 product p*v
        hidden number:    4 SiLU table (gate) and value (up, issued a cycle after its gate),
                          5 z enters the sum multipliers, 6 product z*down

    ``sum_address`` is due one cycle before its weight enters. The newest key of a softmax is not
    read: it comes by ``newest_k`` as it is written. A bank row is three numbers, the
    first lowest.

    Parameters
    ----------
    plan : NumberPlan
    depth : int
        Rows of a bank.
    two_banks : bool
        Logits come from the sum bank, too.
    apart : bool
        As in `Multiplier`, for the operands of the dot multipliers.
    dot_init, sum_init : Sequence
        Rows of the banks at power-up.

    Members
    -------
    dot_address, sum_address : In
    operand : In
        Three numbers for the dot multipliers.
    shift : In
        Requantization shift less ``plan.min_shift``, with the value.
    value : Out
        ``saturate(shift_round(row . operand, shift))``, format ``plan.value``.
    valid : In(1)
        The lane has a row in this group; with the value.
    score_floor : Out
        Integer part of the score, for the group's maximum (lowest when not valid).
    running_max : In
        Above every score so far, this group's included; one cycle after ``score_floor``.
    p : Out
        Softmax weight as it enters the sum multipliers, 0 when not valid.
    select_z : In(1)
        The weight of the sum multipliers is z, not p.
    products : Out
        Weight times sum row.
    dot_stored, sum_stored : Out
        The bank rows that are read, one cycle after their addresses.
    row_address, dot_row, dot_write, sum_row, sum_write : In
        Write ports.
    newest_k, use_newest : In
        In place of the row of the dot bank, with the operand.
    select_operand, sum_operand : In
        The sum multipliers take this operand, one cycle after the dot multipliers theirs.
    logit_shift : In
        As ``shift``, of all logits.
    logits : Out
        ``value``, and with ``two_banks`` the same of the row of the sum bank, `LOGIT` cycles after
        the word of their group.
    """

    def __init__(
        self,
        *,
        plan: NumberPlan,
        depth: int,
        two_banks: bool,
        apart: bool = False,
        dot_init: Sequence[int],
        sum_init: Sequence[int],
    ) -> None:
        self.plan = plan
        self.two_banks = two_banks
        self.apart = apart
        self.depth = depth
        self.dot_init = dot_init
        self.sum_init = sum_init
        width = plan.weight_width
        self.dot_width = 2 * width + 2
        self.max_width = self.dot_width - 2 * plan.qk.frac + 1
        address = range(depth)
        super().__init__(
            {
                "dot_address": In(address),
                "sum_address": In(address),
                "operand": In(data.ArrayLayout(signed(width), 3)),
                "sum_operand": In(data.ArrayLayout(signed(width), 3)),
                "shift": In(plan.shift_bits),
                "value": Out(signed(plan.value.width)),
                "valid": In(1),
                "score_floor": Out(signed(self.max_width)),
                "running_max": In(signed(self.max_width)),
                "p": Out(plan.weight_p_frac + 1),
                "select_z": In(1),
                "products": Out(data.ArrayLayout(signed(2 * width), 3)),
                "dot_stored": Out(3 * width),
                "sum_stored": Out(3 * width),
                "row_address": In(address),
                "dot_row": In(3 * width),
                "dot_write": In(1),
                "sum_row": In(3 * width),
                "sum_write": In(1),
                "newest_k": In(3 * width),
                "use_newest": In(1),
                "select_operand": In(1),
                "logit_shift": In(plan.shift_bits),
                "logits": Out(data.ArrayLayout(signed(plan.value.width), 1 + two_banks)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.plan.weight_width
        dot_row = self._bank(m, "dot", self.dot_address)
        sum_row = self._bank(m, "sum", self.sum_address)
        products = []
        for i in range(3):
            m.submodules[f"dot{i}"] = unit = Multiplier(
                a_width=width, b_width=width, cycles=DOT, apart=self.apart
            )
            newest = self.newest_k[i * width : (i + 1) * width].as_signed()
            m.d.comb += [
                unit.a.eq(self.operand[i]),
                unit.b.eq(Mux(self.use_newest, newest, dot_row[i])),
            ]
            products.append(unit.p)
        dot = Signal(signed(self.dot_width))
        m.d.sync += dot.eq(products[0] + products[1] + products[2])
        value = (shift_guarded(dot, self.plan.min_shift, self.shift) + 1) >> 1
        m.d.comb += self.value.eq(saturate(value, self.plan.value.width))
        z = self._hidden(m)
        self._softmax(m, dot)
        weight = Mux(self.select_z, z, self.p)
        for i in range(3):
            m.submodules[f"sum{i}"] = unit = Multiplier(a_width=width, b_width=width, cycles=WEIGH)
            number = (
                Mux(self.select_operand, self.sum_operand[i], weight) if self.two_banks else weight
            )
            m.d.comb += [unit.a.eq(number), unit.b.eq(sum_row[i]), self.products[i].eq(unit.p)]
        logits = [delay(m, self.value, LOGIT - VALUE, "dot_logit")]
        if self.two_banks:
            logits.append(self._second_logit(m))
        m.d.comb += [port.eq(logit) for port, logit in zip(self.logits, logits, strict=True)]
        return m

    def _second_logit(self, m: Module) -> Any:
        """Of the row of the sum bank."""
        plan = self.plan
        dot = Signal(signed(self.dot_width), name="sum_dot")
        m.d.sync += dot.eq(self.products[0] + self.products[1] + self.products[2])
        value = (shift_guarded(dot, plan.min_shift, self.logit_shift) + 1) >> 1
        late = LOGIT - (TO_OPERAND + 1 + WEIGH + 1)
        return delay(m, saturate(value, plan.value.width), late, "sum_logit")

    def _bank(self, m: Module, side: str, address: Any) -> list[Any]:
        width = self.plan.weight_width
        init, row, write, stored = (
            getattr(self, f"{side}_{name}") for name in ("init", "row", "write", "stored")
        )
        word, port = ram(
            m, f"{side}_bank", width=3 * width, depth=self.depth, init=init, address=address
        )
        m.d.comb += [
            port.addr.eq(self.row_address),
            port.data.eq(row),
            port.en.eq(outside_reset(write)),
        ]
        m.d.comb += stored.eq(word)
        return [word[i * width : (i + 1) * width].as_signed() for i in range(3)]

    def _hidden(self, m: Module) -> Any:
        plan = self.plan
        gate = saturate(self.value, plan.gate.width).as_unsigned()
        silu = rom(m, "silu", silu_table(plan), plan.silu.width, gate)
        m.submodules.swiglu = unit = Multiplier(
            a_width=plan.silu.width, b_width=plan.up.width, cycles=SWIGLU
        )
        m.d.comb += [
            unit.a.eq(silu.as_signed()),
            unit.b.eq(saturate(self.value, plan.up.width)),
        ]
        drop = plan.silu.frac + plan.up.frac - plan.z.frac
        return saturate(shift_round(unit.p, drop), plan.z.width)

    def _softmax(self, m: Module, dot: Signal) -> None:
        plan = self.plan
        score = Signal(signed(plan.value.width))
        in_group = Signal()
        m.d.sync += [score.eq(self.value), in_group.eq(self.valid)]
        m.d.comb += self.score_floor.eq(
            Mux(self.valid, dot >> (2 * plan.qk.frac), RUNNING_MAX_START)
        )
        below = Signal(signed(plan.value.width + 1))
        m.d.comb += below.eq((self.running_max << plan.score_frac) - score)
        # One table instead of 2**-fraction, shift and rounding one after the other: this ends in
        # a multiplier, at the far end of the lane.
        near = plan.score_frac + 4
        fractions = [int(entry) for entry in exp2_table(plan)]
        weights = [shift_round(entry, shift) for shift in range(16) for entry in fractions]
        with m.If(in_group & ~below[near:].any()):
            with m.Switch(below[:near]):
                for index, entry in enumerate(weights):
                    with m.Case(index):
                        m.d.comb += self.p.eq(entry)
