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

    One group per cycle. Of eight lanes two and two have one best, so that no more than two
    comparisons follow one another, behind the bests.

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
        self.lane_bits = (lanes - 1).bit_length()
        self.row_width = self.id_bits - self.lane_bits
        self.width = max(logit_bits, NOISE_WIDTH) + 1
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
        places = min(self.lanes, 4)
        bests = [self._best(m, place, comparing, row) for place in range(places)]
        while len(bests) > 1:
            bests = [_better(*bests[i : i + 2]) for i in range(0, len(bests), 2)]
        m.d.sync += self.id.eq(~bests[0][1][: self.id_bits])
        return m

    def _total(self, m: Module, lane: int) -> tuple[Value, Value]:
        """(valid, logit + noise) of a lane."""
        total = Signal(signed(self.width), name=f"total{lane}")
        valid = Signal(name=f"valid{lane}")
        m.d.sync += [
            total.eq(self.logits[lane] + self.noise[lane]),
            valid.eq(self.valid[lane]),
        ]
        return valid, total

    def _best(self, m: Module, place: int, comparing: Signal, row: Signal) -> tuple[Value, Value]:
        """(seen, key) of the best so far of lane ``place``, and of lane ``place`` + 4.

        A key is the value above the inverted id, so that one comparison settles ties as well;
        strictly greater keeps the earlier row.
        """
        valid, total = self._total(m, place)
        best = Signal(signed(self.width), name=f"best{place}")
        best_row = Signal(self.row_width, name=f"best{place}_row")
        seen = Signal(name=f"seen{place}")
        lane = [Const(place, min(self.lane_bits, 2))]
        beats = valid & (~seen | (total > best))
        update = [seen.eq(1), best_row.eq(row)]
        if self.lanes > 4:
            # All three comparisons side by side: the larger one beats the best if either does.
            other_valid, other = self._total(m, place + 4)
            upper = Signal(name=f"upper{place}")
            best_upper = Signal(name=f"best{place}_upper")
            m.d.comb += upper.eq(other_valid & (~valid | (other > total)))
            beats |= other_valid & (~seen | (other > best))
            total = Mux(upper, other, total)
            update.append(best_upper.eq(upper))
            lane.append(best_upper)
        with m.If(self.clear):
            m.d.sync += seen.eq(0)
        with m.Elif(comparing & beats):
            m.d.sync += [*update, best.eq(total)]
        return seen, Cat(~Cat(*lane, best_row), best).as_signed()


def _better(a: tuple[Value, Value], b: tuple[Value, Value]) -> tuple[Value, Value]:
    take_b = b[0] & (~a[0] | (b[1] > a[1]))
    return a[0] | b[0], Mux(take_b, b[1], a[1]).as_signed()
