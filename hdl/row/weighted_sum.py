# SPDX-License-Identifier: MIT
"""The weighted sum over groups: softmax's one pass, and the down projection."""

from functools import reduce
from operator import add, or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import WEIGH
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.primitives.fixed import shift_guarded
from glintfpga.quant.blink.blocks import MAX_RESCALE, RUNNING_MAX_START
from glintfpga.quant.blink.plan import DENOMINATOR_WIDTH, NumberPlan

__all__ = ["RunningMax", "WeightedSum", "tree"]


def tree(values: list[Value]) -> Value:
    """Sum of values as a balanced tree."""
    while len(values) > 1:
        values = [reduce(add, values[i : i + 2]) for i in range(0, len(values), 2)]
    return values[0]


class RunningMax(wiring.Component):
    """The softmax maximum so far, an integer above every score.

        cycle 0: score_floors of a group, add   1: maximum new, rise   2: shift

    One group per cycle.

    Members
    -------
    clear : In(1)
    add, score_floors : In
        A group; the lowest number for lanes without a row in it.
    maximum : Out
    shift : Out
        How far the sums so far move down for this group.
    lost : Out(1)
        So far that nothing of them is left.
    """

    def __init__(self, *, lanes: int, width: int) -> None:
        self.lanes = lanes
        self.width = width
        super().__init__(
            {
                "clear": In(1),
                "add": In(1),
                "score_floors": In(data.ArrayLayout(signed(width), lanes)),
                "maximum": Out(signed(width), init=RUNNING_MAX_START),
                "shift": Out(range(MAX_RESCALE + 1)),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        floors = [Value.cast(self.score_floors[lane]) for lane in range(self.lanes)]
        while len(floors) > 4:
            floors = [Mux(a > b, a, b) for a, b in zip(floors[::2], floors[1::2], strict=True)]
        # All comparisons side by side: a tree of them was the slowest path between registers.
        group = Signal(signed(self.width))
        before = Signal(signed(self.width))
        raises = [floor >= self.maximum for floor in floors]
        chosen = [
            Cat(
                *(floor >= other for other in floors[:i]),
                *(floor > other for other in floors[i + 1 :]),
            ).all()
            for i, floor in enumerate(floors)
        ]
        above = [
            ((floor + 1)[: self.width]) & one.replicate(self.width)
            for floor, one in zip(floors, chosen, strict=True)
        ]
        m.d.comb += group.eq(reduce(or_, above))
        m.d.sync += before.eq(self.maximum)
        with m.If(self.clear):
            m.d.sync += self.maximum.eq(RUNNING_MAX_START)
        with m.Elif(self.add & Cat(raises).any()):
            m.d.sync += self.maximum.eq(group)
        rise = Signal(self.width + 1)
        m.d.comb += rise.eq(self.maximum - before)
        m.d.sync += [
            self.shift.eq(rise),
            self.lost.eq(rise[len(self.shift) :].any()),
        ]
        return m


class WeightedSum(wiring.Component):
    """``values += sum of lanes' products`` and ``denominator += sum of p``, group by group.

    What is summed up so far first moves down by ``shift``, or is ``lost``, where the group raises
    the softmax maximum (``quant.blink.blocks.accumulate``); both are 0 for hidden groups.

        cycle 0: p   1: p summed   WEIGH: products   WEIGH + 1: lanes summed; add, shift
              WEIGH + 2: values, denominator

    One group per cycle.

    Members
    -------
    clear : In(1)
    p : In
        Weights of a group, in cycle 0.
    products : In
        Weights times rows, in cycle ``WEIGH``.
    add, shift, lost : In
        In cycle ``WEIGH + 1``.
    values, denominator : Out
    """

    def __init__(self, *, plan: NumberPlan, lanes: int) -> None:
        self.plan = plan
        self.lanes = lanes
        product = signed(2 * plan.weight_width)
        self.value_width = plan.weight_width + DENOMINATOR_WIDTH
        super().__init__(
            {
                "clear": In(1),
                "p": In(data.ArrayLayout(plan.weight_p_frac + 1, lanes)),
                "products": In(data.ArrayLayout(data.ArrayLayout(product, 3), lanes)),
                "add": In(1),
                "shift": In(range(MAX_RESCALE + 1)),
                "lost": In(1),
                "values": Out(data.ArrayLayout(signed(self.value_width), 3)),
                "denominator": Out(DENOMINATOR_WIDTH),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._accumulate(m, self.denominator, self._group_denominator(m))
        for i in range(3):
            terms = [self.products[lane][i] for lane in range(self.lanes)]
            group = Signal(signed(2 * self.plan.weight_width + 3), name=f"group{i}")
            m.d.sync += group.eq(tree(terms))
            self._accumulate(m, self.values[i], group)
        return m

    def _accumulate(self, m: Module, total: Value, group: Value) -> None:
        """The rounding bit of the old sum joins the one adder."""
        half = Cat(Const(1, 1), group)
        if total.shape().signed:
            kept, half = shift_guarded(total, 0, self.shift), half.as_signed()
        else:
            kept = Cat(Const(0, 1), total) >> self.shift
        with m.If(self.clear):
            m.d.sync += total.eq(0)
        with m.Elif(self.add):
            m.d.sync += total.eq((Mux(self.lost, 0, kept) + half) >> 1)

    def _group_denominator(self, m: Module) -> Value:
        width = self.plan.weight_p_frac + 1
        p = [Signal(width, name=f"p{lane}_q") for lane in range(self.lanes)]
        m.d.sync += [p[lane].eq(self.p[lane]) for lane in range(self.lanes)]
        total = Signal(width + 3)
        m.d.sync += total.eq(tree(list(p)))
        return delay(m, total, WEIGH - 1, "group_denominator")
