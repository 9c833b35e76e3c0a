# SPDX-License-Identifier: MIT
"""Arg max over the vocabulary, group by group, with noise for temperature."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.hdl.sampling.gumbel import NOISE_WIDTH

__all__ = ["ArgMax"]


class ArgMax(wiring.Component):
    """Id of the largest ``logit + noise``; ties go to the lowest id.

        cycle 0: logit, noise, valid   1: sum   2: best of each lane   3: id

    One group per cycle.

    Parameters
    ----------
    lanes, logit_bits, max_vocab : int
        As in `glintfpga.hdl.sampling.sampler.Sampler`.

    Members
    -------
    clear : In(1)
        Strobe before the first group.
    add, logits, noise, valid : In
        A group.
    id : Out(range)
        Final three cycles after the last group.
    """

    def __init__(self, *, lanes: int, logit_bits: int, max_vocab: int) -> None:
        self.lanes = lanes
        self.logit_bits = logit_bits
        self.id_bits = (max_vocab - 1).bit_length()
        self.row_width = self.id_bits - (lanes - 1).bit_length()
        super().__init__(
            {
                "clear": In(1),
                "add": In(1),
                "logits": In(data.ArrayLayout(signed(logit_bits), lanes)),
                "noise": In(data.ArrayLayout(signed(NOISE_WIDTH), lanes)),
                "valid": In(lanes),
                "id": Out(self.id_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        comparing = Signal()
        row = Signal(self.row_width)
        m.d.sync += comparing.eq(self.add)
        with m.If(self.clear):
            m.d.sync += row.eq(0)
        with m.Elif(comparing):
            m.d.sync += row.eq(row + 1)
        bests = [self._lane(m, lane, comparing, row) for lane in range(self.lanes)]
        while len(bests) > 1:
            bests = [_better(*bests[i : i + 2]) for i in range(0, len(bests), 2)]
        m.d.sync += self.id.eq(~bests[0][1][: self.id_bits])
        return m

    def _lane(self, m: Module, lane: int, comparing: Signal, row: Signal) -> tuple[Value, Value]:
        """(seen, key) of one lane's best; strictly greater keeps the earlier row.

        A key is the value above the inverted id, so that one comparison settles ties as well.
        """
        width = max(self.logit_bits, NOISE_WIDTH) + 1
        total = Signal(signed(width), name=f"total{lane}")
        valid_1 = Signal(name=f"valid{lane}_1")
        best = Signal(signed(width), name=f"best{lane}")
        best_row = Signal(self.row_width, name=f"best{lane}_row")
        seen = Signal(name=f"seen{lane}")
        m.d.sync += [
            total.eq(self.logits[lane] + self.noise[lane]),
            valid_1.eq(self.valid[lane]),
        ]
        with m.If(self.clear):
            m.d.sync += seen.eq(0)
        with m.Elif(comparing & valid_1 & (~seen | (total > best))):
            m.d.sync += [seen.eq(1), best.eq(total), best_row.eq(row)]
        lane_bits = (self.lanes - 1).bit_length()
        return seen, Cat(~Cat(Const(lane, lane_bits), best_row), best).as_signed()


def _better(a: tuple[Value, Value], b: tuple[Value, Value]) -> tuple[Value, Value]:
    take_b = b[0] & (~a[0] | (b[1] > a[1]))
    return a[0] | b[0], Mux(take_b, b[1], a[1]).as_signed()
