# SPDX-License-Identifier: MIT
"""Which row each bank reads, and which lanes have one."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import LOGIT, TO_OPERAND, VALUE, Z
from glintfpga.firmware.blink.layout import ROWS, logit_rows
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.row.block_table import Config, Descriptor
from glintfpga.hdl.row.position import ring_groups
from glintfpga.hdl.row.sequencer import GROUP_WIDTH, ControlWord

__all__ = ["RowAddresses", "groups_of"]


def groups_of(base: Value, lanes: int) -> Value:
    """Bank address of a base in units of 8 rows."""
    return base << (3 - (lanes - 1).bit_length())


class RowAddresses(wiring.Component):
    """Bank addresses of the groups that the sequencer issues.

    Members
    -------
    word, index, score : In
        Of the sequencer.
    config, descriptor : In
        Of the block table.
    start, last, limit_group, limit_lane : In
        Of `Position`.
    read, row : In
        While ``read`` is high, the banks read row ``row`` of an image.
    dot : Out
        Address of the dot bank, one cycle after the word.
    sum : Out
        Address of the sum bank, one cycle before the weight of its row is there: softmax rows
        follow their K row, down columns their GATE. Of a pair of groups of output rows the dot
        bank has the even one and the sum bank, a cycle later, the odd one.
    in_window : Out(lanes)
        The lane has a row of the window; with its score.
    in_vocab : Out
        As many bits as a group has logits: there is such an id; with the logits.
    """

    def __init__(self, *, lanes: int) -> None:
        self.lanes = lanes
        self.lane_bits = (lanes - 1).bit_length()
        self.logit_rows = logit_rows(lanes)
        self.logit_bits = (self.logit_rows - 1).bit_length()
        group = ring_groups(lanes)
        super().__init__(
            {
                "word": In(ControlWord),
                "index": In(GROUP_WIDTH),
                "score": In(1),
                "config": In(Config),
                "descriptor": In(Descriptor),
                "start": In(group),
                "last": In(group),
                "limit_group": In(group),
                "limit_lane": In(self.lane_bits),
                "read": In(1),
                "row": In(12),
                "dot": Out(range(ROWS // lanes)),
                "sum": Out(range(ROWS // lanes)),
                "in_window": Out(lanes),
                "in_vocab": Out(self.logit_rows),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        group = self._window(m)
        self._vocab(m)
        self._dot(m, group)
        self._sum(m)
        return m

    def _window(self, m: Module) -> Signal:
        """The group of the window that is issued, and its lanes."""
        group = Signal.like(self.last, name="score_group")
        with m.If(self.word.count != 0):
            m.d.sync += group.eq(self.start)
        with m.Elif(self.score):
            m.d.sync += group.eq(Mux(group == self.last, 0, group + 1))
        whole = group != self.limit_group
        lanes = Cat(whole | (lane <= self.limit_lane) for lane in range(self.lanes))
        m.d.comb += self.in_window.eq(delay(m, lanes, VALUE, "in_window"))
        return group

    def _vocab(self, m: Module) -> None:
        last_id = Signal(9)
        m.d.comb += last_id.eq(self.config.vocab - 1)
        last_group, last_row = last_id[self.logit_bits :], last_id[: self.logit_bits]
        inside = self.index < last_group
        at_end = self.index == last_group
        ids = Cat(inside | (at_end & (row <= last_row)) for row in range(self.logit_rows))
        m.d.comb += self.in_vocab.eq(delay(m, ids, LOGIT, "in_vocab"))

    def _dot(self, m: Module, group: Signal) -> None:
        word, index, descriptor = self.word, self.index, self.descriptor
        # Not `+ 1 + (hidden_less_1 >> 3)`: two adders with a carry in from logic would need repair.
        up_base = descriptor.gate_base + Mux(descriptor.hidden_less_1[3], 2, 1)
        base = Signal(9)
        offset = Signal(9)
        with m.Switch(word.rows):
            with m.Case(Rows.SCORE):
                m.d.comb += [base.eq(descriptor.kv_base), offset.eq(group)]
            with m.Case(Rows.GATE):
                m.d.comb += [base.eq(descriptor.gate_base), offset.eq(index)]
            with m.Case(Rows.UP):
                m.d.comb += [base.eq(up_base), offset.eq(index)]
            with m.Case(Rows.LOGIT):
                even = index << (self.logit_bits - self.lane_bits)
                m.d.comb += [base.eq(self.config.out_base), offset.eq(even)]
            with m.Default():
                m.d.comb += [base.eq(descriptor.qkv_base), offset.eq(word.offset)]
        with m.If(self.read):
            m.d.comb += [base.eq(self.row >> 3), offset.eq(self.row[:3] >> self.lane_bits)]
        m.d.sync += self.dot.eq(groups_of(base, self.lanes) + offset)

    def _sum(self, m: Module) -> None:
        value_row = delay(m, self.dot, VALUE - 1, "value_row")
        column = Signal.like(self.sum, name="column")
        odd = Signal.like(self.sum, name="odd")
        hidden = delay(m, self.index, Z - 2, "hidden_index")
        pair = delay(m, self.index, 1, "pair")
        m.d.sync += [
            column.eq(groups_of(self.descriptor.down_base, self.lanes) + hidden),
            odd.eq(groups_of(self.config.out_base, self.lanes) + Cat(Const(1, 1), pair)),
        ]
        is_hidden = delay(m, self.word.rows == Rows.GATE, Z - 1, "is_hidden")
        is_logit = delay(m, self.word.rows == Rows.LOGIT, TO_OPERAND, "is_logit")
        with m.If(is_logit):
            m.d.comb += self.sum.eq(odd)
        with m.Elif(is_hidden):
            m.d.comb += self.sum.eq(column)
        with m.Else():
            m.d.comb += self.sum.eq(value_row)
