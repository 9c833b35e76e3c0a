# SPDX-License-Identifier: MIT
"""The commands that drive the core: PROMPT, SCORE and GENERATE."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.messages import GENERATE_BYTES
from glintfpga.firmware.wire.protocol import (
    MAX_TEMPERATURE,
    NEWLINE,
    GenerateFlag,
    Op,
    Reason,
    ScoreFlag,
    Status,
)
from glintfpga.hdl.core_port import (
    ID_BITS,
    TEMPERATURE_BITS,
    LogitPort,
    ModelFacts,
    OperationPort,
)
from glintfpga.hdl.link.message_writer import MessagePort

__all__ = ["LoopsPort", "TokenLoops"]

ONE_BYTE_VOCAB = 257
"""Largest vocabulary whose tokens travel as one byte."""

LoopsPort = wiring.Signature(
    {
        "start": Out(1),
        "op": Out(8),
        "abort": Out(1),
        "busy": In(1),
        "done": In(1),
        "status": In(Status),
        "reason": In(Reason),
        "count": In(32),
    }
)
"""A command and its outcome, seen from the parser.

Members
-------
start : Out(1)
    Strobe while not ``busy``: a body of ``op`` follows, its length is right.
op : Out(8)
    PROMPT, SCORE or GENERATE, constant until ``done``.
abort : Out(1)
    The byte behind the body is the op ABORT.
busy : In(1)
done : In(1)
    Strobe. ``status``, ``reason`` and ``count`` are right from then to the next ``start``; unread
    bytes of the body may be left.
status, reason, count : In
    Fields of DONE.
"""


class TokenLoops(wiring.Component):
    """Feeds tokens to the core and its results into the answer.

    During an answer, the token that the core outputs goes back into it in the same cycle (unless
    something ends the answer there), so the core never waits; its bytes are written while the core
    computes the next one.

    Members
    -------
    run : In(LoopsPort)
    i : In(stream of 8)
        The body.
    end : In(1)
        The body is over (while ``i`` is not valid).
    stop : In(1)
        Strobe: a new session; end as soon as the core is idle, without ``done``.
    clear_context : In(1)
        Strobe while not ``busy``: the context is empty, nothing is pending.
    message : Out(MessagePort)
        Bodies of TOKENS or SCORES.
    core : Out(OperationPort), seed, temperature, logits, facts
        Ports of the core, see `CorePort`.
    sampling, sample_start, sampled, entered, prefilling : Out(1)
        For the counters: the core works on a token to sample; a request for one; a token arrived;
        a token of a body was entered; the core works on a body.
    """

    run: In(LoopsPort)
    i: In(stream.Signature(8))
    end: In(1)
    stop: In(1)
    clear_context: In(1)
    message: Out(MessagePort)
    core: Out(OperationPort)
    seed: Out(stream.Signature(64))
    temperature: Out(TEMPERATURE_BITS)
    logits: Out(LogitPort)
    facts: In(ModelFacts)
    sampling: Out(1)
    sample_start: Out(1)
    sampled: Out(1)
    entered: Out(1)
    prefilling: Out(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        run, core_i, core_o = self.run, self.core.i, self.core.o
        message, byte = self.message.body, self.message.body.payload

        # The body of GENERATE, shifted in.
        request = Signal(8 * GENERATE_BYTES)
        limit, request_temperature, flags, seed = (
            request[:32],
            request[32:48],
            request[48:56],
            request[56:],
        )
        request_count = Signal(range(GENERATE_BYTES))
        reached, last = Signal(), Signal()
        m.d.comb += [self.temperature.eq(request_temperature), self.seed.payload.eq(seed)]
        m.d.sync += [reached.eq(run.count == limit), last.eq(run.count + 1 == limit)]
        want_blank = flags[GenerateFlag.BLANK_LINE.bit_length() - 1]
        want_crc = flags[GenerateFlag.CRC.bit_length() - 1]

        # The state of the context.
        pending, pending_id = Signal(), Signal(ID_BITS)
        empty = Signal(init=1)
        first_id = Signal(ID_BITS)
        m.d.comb += first_id.eq(Mux(self.facts.eos[-1], 0, self.facts.eos))
        with m.If(self.clear_context):
            m.d.sync += [pending.eq(0), empty.eq(1)]

        is_generate, is_score, want_logits = Signal(), Signal(), Signal()
        wide = Signal()
        token = Signal(ID_BITS)
        halt = Signal()
        crc = Signal(32)
        finishing, in_flight, newline = Signal(), Signal(), Signal()
        m.d.comb += [
            is_generate.eq(run.op == Op.GENERATE),
            is_score.eq(run.op == Op.SCORE),
            self.message.op.eq(Mux(is_generate, Op.TOKENS, Op.SCORES)),
            run.busy.eq(1),
            self.sampling.eq(self.sample_start | (in_flight & ~core_o.valid)),
            self.prefilling.eq(run.busy & ~is_generate & ~self.core.idle),
        ]
        m.d.sync += wide.eq(self.facts.vocab > ONE_BYTE_VOCAB)
        with m.If(self.stop):
            m.d.sync += halt.eq(1)

        # The word of four bytes that is being written: a CRC or a logit.
        is_logit = Signal()
        part = Signal(2)
        word = Signal(32)
        m.d.comb += word.eq(Mux(is_logit, self.logits.value, crc))

        ends = Signal(Reason)
        ending = Signal()
        is_eos = Signal()
        m.d.comb += [is_eos.eq(core_o.payload.id == self.facts.eos), ending.eq(1)]
        with m.If(is_eos):
            m.d.comb += ends.eq(Reason.EOS)
        with m.Elif(want_blank & newline & (core_o.payload.id == NEWLINE)):
            m.d.comb += ends.eq(Reason.BLANK_LINE)
        with m.Elif(last):
            m.d.comb += ends.eq(Reason.COUNT)
        with m.Elif(run.abort):
            m.d.comb += ends.eq(Reason.ABORT)
        with m.Else():
            m.d.comb += ending.eq(0)

        @contextmanager
        def state(name: str) -> Iterator[None]:
            """A state that a new session ends."""
            with m.State(name):
                yield
                with m.If(self.stop | halt):
                    m.next = "ABANDON"

        def finish(status: Status) -> None:
            m.d.sync += run.status.eq(status)
            m.next = "FINISH"

        with m.FSM():
            with m.State("IDLE"):
                # Wait for a command.
                m.d.comb += run.busy.eq(0)
                m.d.sync += [
                    halt.eq(0),
                    request_count.eq(0),
                    newline.eq(0),
                    want_logits.eq(0),
                    is_logit.eq(0),
                ]
                with m.If(run.start):
                    m.d.sync += [run.count.eq(0), run.reason.eq(0)]
                    m.next = "TOKEN"
                    with m.If(is_generate):
                        m.next = "ASK"
                    with m.If(is_score):
                        m.next = "FLAGS"

            with state("FLAGS"):
                # First byte of SCORE.
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += want_logits.eq(self.i.payload[0])
                    m.next = "TOKEN"
                    with m.If((self.i.payload & ~sum(ScoreFlag) & 0xFF) != 0):
                        finish(Status.BAD_ARGUMENT)
            with state("TOKEN"):
                # A token of the body, or its low byte.
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += token.eq(self.i.payload)
                    m.next = "CHECK"
                    with m.If(wide):
                        m.next = "TOKEN_HIGH"
                with m.Elif(self.end):
                    finish(Status.OK)
            with state("TOKEN_HIGH"):
                # Its high byte.
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += token[8:].eq(self.i.payload)
                    m.next = "CHECK"
            with state("CHECK"):
                # Is it one? Then the pending token goes first.
                m.next = "ENTER"
                with m.If(pending):
                    m.next = "ENTER_PENDING"
                with m.If(token >= self.facts.vocab):
                    finish(Status.BAD_TOKEN)
            with state("ENTER_PENDING"):
                # The pending token enters the core.
                m.d.comb += [
                    core_i.payload.id.eq(pending_id),
                    core_i.payload.enter.eq(1),
                    core_i.valid.eq(1),
                ]
                with m.If(core_i.ready):
                    m.d.sync += [pending.eq(0), empty.eq(0)]
                    m.next = "ENTER"
            with state("ENTER"):
                # The token enters the core, for a score with logits.
                m.d.comb += [
                    core_i.payload.id.eq(token),
                    core_i.payload.enter.eq(1),
                    core_i.payload.logits.eq(is_score),
                    core_i.valid.eq(1),
                ]
                with m.If(core_i.ready):
                    m.d.comb += self.entered.eq(1)
                    m.d.sync += [empty.eq(0), run.count.eq(run.count + 1)]
                    m.next = "TOKEN"
                    with m.If(is_score):
                        m.next = "SCORE"
            with state("SCORE"):
                # Wait for the logits' CRC.
                m.d.comb += core_o.ready.eq(1)
                m.d.sync += [part.eq(0), is_logit.eq(0), self.logits.id.eq(0)]
                with m.If(core_o.valid):
                    m.d.sync += crc.eq(core_o.payload.crc)
                    m.next = "WORD"

            with state("ASK"):
                # The body of GENERATE.
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [
                        request.eq(Cat(request[8:], self.i.payload)),
                        request_count.eq(request_count + 1),
                    ]
                    with m.If(request_count == GENERATE_BYTES - 1):
                        m.next = "JUDGE"
            with state("JUDGE"):
                # Are its arguments allowed?
                m.next = "NEXT"
                with m.If(flags[GenerateFlag.SEED.bit_length() - 1]):
                    m.next = "SEED"
                with m.If((flags & ~sum(GenerateFlag) & 0xFF) != 0):
                    finish(Status.BAD_ARGUMENT)
                with m.If(request_temperature > MAX_TEMPERATURE):
                    finish(Status.BAD_ARGUMENT)
            with m.State("SEED"):
                # Key the noise; a new session waits until it is done.
                m.d.comb += self.seed.valid.eq(1)
                with m.If(self.seed.ready):
                    m.next = "NEXT"
            with state("NEXT"):
                # Is another token due? Then request it.
                with m.If(reached):
                    m.d.sync += run.reason.eq(Reason.COUNT)
                    finish(Status.OK)
                with m.Elif(run.abort):
                    m.d.sync += run.reason.eq(Reason.ABORT)
                    finish(Status.OK)
                with m.Else():
                    m.next = "ASK_CORE"
            with state("ASK_CORE"):
                # The first token of an answer: enter what is pending, or EOS into an empty
                # context, or use the logits of the prompt's last token.
                m.d.comb += [
                    core_i.payload.id.eq(Mux(pending, pending_id, first_id)),
                    core_i.payload.enter.eq(pending | empty),
                    core_i.payload.logits.eq(1),
                    core_i.payload.sample.eq(1),
                    core_i.valid.eq(1),
                ]
                with m.If(core_i.ready):
                    m.d.comb += self.sample_start.eq(1)
                    m.d.sync += [pending.eq(0), empty.eq(0), in_flight.eq(1)]
                    m.next = "RESULT"
            with state("RESULT"):
                # A token comes: pass it back at once, unless the answer ends here.
                m.d.comb += [
                    core_i.payload.id.eq(core_o.payload.id),
                    core_i.payload.enter.eq(1),
                    core_i.payload.logits.eq(1),
                    core_i.payload.sample.eq(1),
                    core_i.valid.eq(core_o.valid & ~ending),
                    core_o.ready.eq(1),
                ]
                m.d.sync += part.eq(0)
                with m.If(core_o.valid):
                    m.d.comb += [
                        self.sampled.eq(1),
                        self.sample_start.eq(core_i.valid & core_i.ready),
                    ]
                    m.d.sync += [
                        pending_id.eq(core_o.payload.id),
                        crc.eq(core_o.payload.crc),
                        pending.eq(~self.sample_start),
                        in_flight.eq(self.sample_start),
                        newline.eq(core_o.payload.id == NEWLINE),
                        finishing.eq(ending),
                        run.reason.eq(ends),
                        token.eq(core_o.payload.id),
                    ]
                    m.next = "LOW"
                    with m.If(is_eos):
                        finish(Status.OK)
                    with m.Else():
                        m.d.sync += run.count.eq(run.count + 1)
            with state("LOW"):
                # Write the token, or its low byte.
                m.d.comb += [
                    byte.byte.eq(token[:8]),
                    byte.end.eq(~wide & ~want_crc),
                    message.valid.eq(1),
                ]
                with m.If(message.ready):
                    with m.If(wide):
                        m.next = "HIGH"
                    with m.Elif(want_crc):
                        m.next = "WORD"
                    with m.Else():
                        m.next = "AFTER"
            with state("HIGH"):
                # Its high byte.
                m.d.comb += [
                    byte.byte.eq(token[8:]),
                    byte.end.eq(~want_crc),
                    message.valid.eq(1),
                ]
                with m.If(message.ready):
                    m.next = "AFTER"
                    with m.If(want_crc):
                        m.next = "WORD"
            with state("AFTER"):
                # On to the token that is being computed, or to the end.
                with m.If(finishing):
                    finish(Status.OK)
                with m.Elif(in_flight):
                    m.next = "RESULT"
                with m.Else():
                    m.next = "NEXT"

            with state("WORD"):
                # Write the four bytes of a CRC or a logit.
                m.d.comb += [
                    byte.byte.eq(word.word_select(part, 8)),
                    byte.end.eq(part == 3),
                    message.valid.eq(1),
                ]
                with m.If(message.ready):
                    m.d.sync += part.eq(part + 1)
                    with m.If(part == 3):
                        m.next = "TOKEN"
                        with m.If(is_generate):
                            m.next = "AFTER"
                        with m.Elif(want_logits):
                            m.next = "LOGIT"
            with state("LOGIT"):
                # Turn to the next logit, if there is one.
                m.d.sync += is_logit.eq(1)
                with m.If(is_logit):
                    m.d.sync += self.logits.id.eq(self.logits.id + 1)
                m.next = "LOOK_UP"
                with m.If(is_logit & (self.logits.id == (self.facts.vocab - 1)[:ID_BITS])):
                    m.next = "TOKEN"
            with state("LOOK_UP"):
                # The core needs a cycle for it.
                m.next = "WORD"

            with state("FINISH"):
                # Report when the core rests, so that its cycles are counted.
                with m.If(self.core.idle):
                    m.d.comb += run.done.eq(1)
                    m.next = "IDLE"
            with m.State("ABANDON"):
                # Let the core finish; a token it samples is pending, although no answer carries it.
                m.d.comb += core_o.ready.eq(1)
                with m.If(core_o.valid & in_flight):
                    m.d.comb += self.sampled.eq(1)
                    m.d.sync += [
                        pending.eq(1),
                        pending_id.eq(core_o.payload.id),
                        in_flight.eq(0),
                    ]
                with m.If(self.core.idle):
                    m.next = "IDLE"
        return m
