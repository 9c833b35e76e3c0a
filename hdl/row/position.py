# SPDX-License-Identifier: MIT
"""Where the next token goes in the KV rings, and how far RoPE has turned."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.quant.blink.limits import LIMITS

__all__ = ["Position", "ring_groups"]


def ring_groups(lanes: int) -> range:
    """Groups of the longest KV ring."""
    return range(LIMITS.window // lanes)


class Position(wiring.Component):
    """Ring slot, RoPE phase and the softmax groups of the current token.

    Groups are ``lanes`` consecutive slots. Before the ring is full they run from 0 to the newest
    row's; then from the one after it around to it, so the newest row's group is always last.

    Members
    -------
    clear : In(1)
        Strobe: empty the context.
    advance : In(1)
        Strobe: one token entered.
    window, rope_num, rope_den : In
        Of the model.
    slot : Out(8)
        Place of the current token's K and V' rows.
    phase : Out(10)
        Entry of the RoPE table.
    start, count : Out
        First group to stream, and how many.
    last : Out
        The ring's last group.
    limit_group, limit_lane : Out
        Lanes after ``limit_lane`` have no row in ``limit_group``.
    """

    def __init__(self, *, lanes: int) -> None:
        self.lanes = lanes
        self.lane_bits = (lanes - 1).bit_length()
        group = ring_groups(lanes)
        super().__init__(
            {
                "clear": In(1),
                "advance": In(1),
                "window": In(9),
                "rope_num": In(10),
                "rope_den": In(11),
                "slot": Out(8),
                "phase": Out(10),
                "start": Out(group),
                "last": Out(group),
                "count": Out(9 - self.lane_bits),
                "limit_group": Out(group),
                "limit_lane": Out(self.lane_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        wrapped = Signal()
        newest = self.slot >> self.lane_bits
        end = Signal(8)
        turned = Signal(12)
        m.d.comb += [
            end.eq(self.window - 1),
            self.last.eq(end >> self.lane_bits),
            turned.eq(self.phase + self.rope_num),
        ]
        with m.If(self.clear):
            m.d.sync += [self.slot.eq(0), self.phase.eq(0), wrapped.eq(0)]
        with m.Elif(self.advance):
            m.d.sync += self.phase.eq(Mux(turned >= self.rope_den, turned - self.rope_den, turned))
            m.d.sync += self.slot.eq(self.slot + 1)
            with m.If(self.slot == end):
                m.d.sync += [self.slot.eq(0), wrapped.eq(1)]
        with m.If(wrapped):
            m.d.comb += [
                self.start.eq(Mux(newest == self.last, 0, newest + 1)),
                self.count.eq(self.last + 1),
                self.limit_group.eq(self.last),
                self.limit_lane.eq(end),
            ]
        with m.Else():
            m.d.comb += [
                self.start.eq(0),
                self.count.eq(newest + 1),
                self.limit_group.eq(newest),
                self.limit_lane.eq(self.slot),
            ]
        return m
