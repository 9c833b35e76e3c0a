# SPDX-License-Identifier: MIT
"""Plays the schedule: one control word per cycle, no dispatch cycle between parts."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.schedule import Count, Loop, Rows, ScheduleWord, build_schedule
from glintfpga.hdl.core_port import Operation

__all__ = ["Sequencer"]

GROUP_WIDTH = 9


class ControlWord(data.Struct):
    """``firmware.blink.schedule.ScheduleWord`` as bits."""

    rows: 3
    offset: 4
    part: 1
    count: 2
    loop: 2
    loop_embedding: 1
    clear: 1
    x_embed: 1
    x_attention: 1
    x_ffn: 1
    fetch: 1
    pass_end: 1
    end: 1


def _encode(word: ScheduleWord) -> int:
    fields = {name: int(getattr(word, name)) for name in ScheduleWord.__dataclass_fields__}
    return int(ControlWord.const(fields).as_bits())


class Sequencer(wiring.Component):
    """Runs EMBED, PASS and LOGITS as an operation demands; word 0 is idle and accepts the next one.

    Members
    -------
    i : In(stream of Operation)
    enable : In(1)
        An operation may be accepted.
    passes, thinking, score_groups, hidden_groups, logit_groups : In
        Of the model and the position.
    word : Out(ControlWord)
        The current control word.
    index : Out(9)
        Its repetition, from 0.
    first, last : Out(1)
        The word does not repeat its predecessor; it is not repeated again.
    score : Out(1)
        This SCORE cycle issues a group (the first ones may be padding).
    advance : Out(1)
        The token's last pass ends with this cycle.
    operation : Out(Operation)
        The running one.
    idle : Out(1)
    """

    i: In(stream.Signature(Operation))
    enable: In(1)
    passes: In(5)
    thinking: In(8)
    score_groups: In(8)
    hidden_groups: In(4)
    logit_groups: In(GROUP_WIDTH)
    word: Out(ControlWord)
    index: Out(GROUP_WIDTH)
    first: Out(1)
    last: Out(1)
    score: Out(1)
    advance: Out(1)
    operation: Out(Operation)
    idle: Out(1)

    def __init__(self, *, lanes: int) -> None:
        self.lanes = lanes
        self.schedule = build_schedule(lanes)
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        schedule = self.schedule
        word = self.word
        pc, following = (Signal(range(len(schedule.words)), name=n) for n in ("pc", "pc_next"))
        # An operation arrives late in its cycle, so the words that it may start with are prepared,
        # and the word that would follow without it is looked up in parallel.
        words = Array(Const(_encode(each), len(word.as_value())) for each in schedule.words)
        start = Signal()
        at_start = Signal.like(pc)
        without_token = Mux(self.thinking != 0, schedule.passes, schedule.logits)
        first_word = Mux(
            self.i.p.enter,
            words[schedule.embed],
            Mux(self.thinking != 0, words[schedule.passes], words[schedule.logits]),
        )
        m.d.comb += [
            start.eq(self.i.valid & self.i.ready),
            at_start.eq(Mux(self.i.p.enter, schedule.embed, without_token)),
        ]
        m.d.sync += [
            pc.eq(Mux(start, at_start, following)),
            word.eq(Mux(start, first_word, words[following])),
        ]
        with m.If(start):
            m.d.sync += self.operation.eq(self.i.p)

        remaining = Signal(GROUP_WIDTH)
        more = Signal()
        m.d.comb += [more.eq(remaining != 0), self.last.eq(~more)]
        last_pass = self._passes(m)
        think = self._thinking(m, last_pass)
        m.d.comb += self.idle.eq(pc == 0)
        m.d.comb += self.i.ready.eq(self.idle & self.enable)
        with m.If(self.idle):
            m.d.comb += following.eq(0)
        with m.Elif((word.loop == Loop.SELF) & more):
            m.d.comb += following.eq(pc)
        with m.Elif((word.loop == Loop.PAIR) & more):
            m.d.comb += following.eq(pc - 1)
        with m.Elif(word.pass_end & (~last_pass | think)):
            m.d.comb += following.eq(schedule.passes)
        with m.Elif(word.pass_end & ~self.operation.logits | word.end):
            m.d.comb += following.eq(0)
        with m.Else():
            m.d.comb += following.eq(pc + 1)
        self._repeats(m, remaining, more)
        return m

    def _passes(self, m: Module) -> Signal:
        pass_index = Signal(5)
        last_pass = Signal()
        m.d.comb += last_pass.eq(pass_index + 1 >= self.passes)
        m.d.comb += self.advance.eq(self.word.pass_end & last_pass)
        with m.If(self.word.pass_end):
            m.d.sync += pass_index.eq(Mux(last_pass, 0, pass_index + 1))
        return last_pass

    def _thinking(self, m: Module, last_pass: Signal) -> Signal:
        """High while logits are due but x must run through the passes again first."""
        thoughts_left = Signal(8)
        think = Signal()
        m.d.comb += think.eq(self.operation.logits & (thoughts_left != 0))
        with m.If(self.idle):
            # Without a token to enter, the first thought starts at once.
            begun = ~self.i.p.enter & (self.thinking != 0)
            m.d.sync += thoughts_left.eq(self.thinking - begun)
        with m.Elif(self.word.pass_end & last_pass & think):
            m.d.sync += thoughts_left.eq(thoughts_left - 1)
        return think

    def _repeats(self, m: Module, remaining: Signal, more: Signal) -> None:
        word = self.word
        least = self.schedule.min_score_groups
        score_cycles = Mux(self.score_groups < least, least, self.score_groups)
        m.d.sync += self.first.eq(1)
        with m.If(word.loop != Loop.NONE):
            m.d.sync += [self.index.eq(self.index + 1), self.first.eq(~more)]
        with m.Switch(word.count):
            with m.Case(Count.SCORE):
                m.d.sync += remaining.eq(score_cycles - 1)
            with m.Case(Count.HIDDEN):
                m.d.sync += remaining.eq(self.hidden_groups - 1)
            with m.Case(Count.LOGIT):
                m.d.sync += remaining.eq(self.logit_groups - 1)
            with m.Default():
                with m.If((word.loop != Loop.NONE) & more):
                    m.d.sync += remaining.eq(remaining - 1)
        with m.If(word.count != Count.NONE):
            m.d.sync += self.index.eq(0)
        m.d.comb += self.score.eq((word.rows == Rows.SCORE) & (remaining < self.score_groups))
