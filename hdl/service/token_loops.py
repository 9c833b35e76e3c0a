# SPDX-License-Identifier: MIT
"""The commands that drive the core: PROMPT, SCORE and GENERATE."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value, ValueLike
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
from glintfpga.hdl.service.loops_port import LoopsPort

__all__ = ["TokenLoops"]

ONE_BYTE_VOCAB = 257
"""Largest vocabulary whose tokens travel as one byte."""


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
        self._token = Signal(ID_BITS, name="token")
        self._wide = Signal(name="wide")
        self._halt = Signal(name="halt")
        self._is_generate = Signal(name="is_generate")
        self._is_score = Signal(name="is_score")
        m.d.comb += [
            self._is_generate.eq(self.run.op == Op.GENERATE),
            self._is_score.eq(self.run.op == Op.SCORE),
            self.run.busy.eq(1),
            self.message.op.eq(Mux(self._is_generate, Op.TOKENS, Op.SCORES)),
            self.prefilling.eq(self.run.busy & ~self._is_generate & ~self.core.idle),
        ]
        m.d.sync += self._wide.eq(self.facts.vocab > ONE_BYTE_VOCAB)
        with m.If(self.stop):
            m.d.sync += self._halt.eq(1)
        self._keep_context(m)
        self._keep_request(m)
        self._keep_answer(m)
        with m.FSM():
            self._idle_state(m)
            self._body_states(m)
            self._request_states(m)
            self._answer_states(m)
            self._word_states(m)
            self._end_states(m)
        return m

    @contextmanager
    def _state(self, m: Module, name: str) -> Iterator[None]:
        """A state that a new session ends."""
        with m.State(name):
            yield
            with m.If(self.stop | self._halt):
                m.next = "ABANDON"

    def _finish(self, m: Module, status: Status) -> None:
        m.d.sync += self.run.status.eq(status)
        m.next = "FINISH"

    def _keep_context(self, m: Module) -> None:
        """Whether the context is empty, and the sampled token that is not in it yet."""
        self._empty = Signal(init=1, name="empty")
        self._pending = Signal(name="pending")
        self._pending_id = Signal(ID_BITS, name="pending_id")
        with m.If(self.clear_context):
            m.d.sync += [self._pending.eq(0), self._empty.eq(1)]

    def _keep_request(self, m: Module) -> None:
        """The body of GENERATE, shifted in."""
        self._request = request = Signal(8 * GENERATE_BYTES, name="request")
        self._request_count = Signal(range(GENERATE_BYTES), name="request_count")
        self._reached = Signal(name="reached")
        self._last = Signal(name="last")
        limit, self._flags = request[:32], request[48:56]
        m.d.comb += [self.temperature.eq(request[32:48]), self.seed.payload.eq(request[56:])]
        m.d.sync += [
            self._reached.eq(self.run.count == limit),
            self._last.eq(self.run.count + 1 == limit),
        ]

    def _has_flag(self, flag: GenerateFlag) -> Value:
        return self._flags[flag.bit_length() - 1]

    def _keep_answer(self, m: Module) -> None:
        """A token that the core works on, what ends an answer, and the word to be written."""
        self._in_flight = Signal(name="in_flight")
        self._finishing = Signal(name="finishing")
        self._newline = Signal(name="newline")
        self._word = Signal(32, name="word")
        self._part = Signal(2, name="part")
        self._is_logit = Signal(name="is_logit")
        self._want_logits = Signal(name="want_logits")
        self._ending = Signal(name="ending")
        self._ends = Signal(Reason, name="ends")
        id = self.core.o.payload.id
        m.d.comb += [
            self.sampling.eq(self.sample_start | (self._in_flight & ~self.core.o.valid)),
            self._ending.eq(1),
        ]
        with m.If(id == self.facts.eos):
            m.d.comb += self._ends.eq(Reason.EOS)
        with m.Elif(self._has_flag(GenerateFlag.BLANK_LINE) & self._newline & (id == NEWLINE)):
            m.d.comb += self._ends.eq(Reason.BLANK_LINE)
        with m.Elif(self._last):
            m.d.comb += self._ends.eq(Reason.COUNT)
        with m.Elif(self.run.abort):
            m.d.comb += self._ends.eq(Reason.ABORT)
        with m.Else():
            m.d.comb += self._ending.eq(0)

    def _idle_state(self, m: Module) -> None:
        with m.State("IDLE"):
            # Wait for a command.
            m.d.comb += self.run.busy.eq(0)
            m.d.sync += [
                self._halt.eq(0),
                self._request_count.eq(0),
                self._newline.eq(0),
                self._want_logits.eq(0),
                self._is_logit.eq(0),
            ]
            with m.If(self.run.start):
                m.d.sync += [self.run.count.eq(0), self.run.reason.eq(0)]
                m.next = "TOKEN"
                with m.If(self._is_generate):
                    m.next = "ASK"
                with m.If(self._is_score):
                    m.next = "FLAGS"

    def _body_states(self, m: Module) -> None:
        """PROMPT and SCORE: each token of the body enters the core."""
        with self._state(m, "FLAGS"):
            # First byte of SCORE.
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += self._want_logits.eq(self.i.payload[0])
                m.next = "TOKEN"
                with m.If((self.i.payload & ~sum(ScoreFlag) & 0xFF) != 0):
                    self._finish(m, Status.BAD_ARGUMENT)
        with self._state(m, "TOKEN"):
            # A token of the body, or its low byte.
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += self._token.eq(self.i.payload)
                m.next = "CHECK"
                with m.If(self._wide):
                    m.next = "TOKEN_HIGH"
            with m.Elif(self.end):
                self._finish(m, Status.OK)
        with self._state(m, "TOKEN_HIGH"):
            # Its high byte.
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += self._token[8:].eq(self.i.payload)
                m.next = "CHECK"
        with self._state(m, "CHECK"):
            # Is it one? Then the pending token goes first.
            m.next = "ENTER"
            with m.If(self._pending):
                m.next = "ENTER_PENDING"
            with m.If(self._token >= self.facts.vocab):
                self._finish(m, Status.BAD_TOKEN)
        with self._state(m, "ENTER_PENDING"):
            # The pending token enters the core.
            with self._offered(m, self._pending_id):
                m.d.sync += [self._pending.eq(0), self._empty.eq(0)]
                m.next = "ENTER"
        with self._state(m, "ENTER"):
            # The token enters the core, for a score with logits.
            m.d.comb += self.core.i.payload.logits.eq(self._is_score)
            with self._offered(m, self._token):
                m.d.comb += self.entered.eq(1)
                m.d.sync += [self._empty.eq(0), self.run.count.eq(self.run.count + 1)]
                m.next = "TOKEN"
                with m.If(self._is_score):
                    m.next = "SCORE"
        with self._state(m, "SCORE"):
            # Wait for the logits' CRC.
            m.d.comb += self.core.o.ready.eq(1)
            m.d.sync += [self._part.eq(0), self._is_logit.eq(0), self.logits.id.eq(0)]
            with m.If(self.core.o.valid):
                m.d.sync += self._word.eq(self.core.o.payload.crc)
                m.next = "WORD"

    @contextmanager
    def _offered(self, m: Module, id: Value, *, enter: ValueLike = 1) -> Iterator[None]:
        """An operation is offered to the core; what is inside happens as the core takes it."""
        core = self.core.i
        m.d.comb += [core.payload.id.eq(id), core.payload.enter.eq(enter), core.valid.eq(1)]
        with m.If(core.ready):
            yield

    def _request_states(self, m: Module) -> None:
        """GENERATE: its body, and the first operation of the answer."""
        with self._state(m, "ASK"):
            # The body of GENERATE.
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += [
                    self._request.eq(Cat(self._request[8:], self.i.payload)),
                    self._request_count.eq(self._request_count + 1),
                ]
                with m.If(self._request_count == GENERATE_BYTES - 1):
                    m.next = "JUDGE"
        with self._state(m, "JUDGE"):
            # Are its arguments allowed?
            m.next = "NEXT"
            with m.If(self._has_flag(GenerateFlag.SEED)):
                m.next = "SEED"
            with m.If((self._flags & ~sum(GenerateFlag) & 0xFF) != 0):
                self._finish(m, Status.BAD_ARGUMENT)
            with m.If(self._request[32:48] > MAX_TEMPERATURE):
                self._finish(m, Status.BAD_ARGUMENT)
        with m.State("SEED"):
            # Key the noise; a new session waits until it is done.
            m.d.comb += self.seed.valid.eq(1)
            with m.If(self.seed.ready):
                m.next = "NEXT"
        with self._state(m, "NEXT"):
            # Is another token due? Then request it.
            with m.If(self._reached):
                m.d.sync += self.run.reason.eq(Reason.COUNT)
                self._finish(m, Status.OK)
            with m.Elif(self.run.abort):
                m.d.sync += self.run.reason.eq(Reason.ABORT)
                self._finish(m, Status.OK)
            with m.Else():
                m.next = "ASK_CORE"
        with self._state(m, "ASK_CORE"):
            # The first token of an answer: enter what is pending, or EOS into an empty
            # context, or use the logits of the prompt's last token.
            eos = Mux(self.facts.eos[-1], 0, self.facts.eos)
            self._ask_for_sample(m)
            first = Mux(self._pending, self._pending_id, eos)
            with self._offered(m, first, enter=self._pending | self._empty):
                m.d.comb += self.sample_start.eq(1)
                m.d.sync += [self._pending.eq(0), self._empty.eq(0), self._in_flight.eq(1)]
                m.next = "RESULT"

    def _ask_for_sample(self, m: Module) -> None:
        m.d.comb += [self.core.i.payload.logits.eq(1), self.core.i.payload.sample.eq(1)]

    def _answer_states(self, m: Module) -> None:
        """GENERATE: a token from the core goes back into it, and into the answer."""
        core_i, core_o = self.core.i, self.core.o
        with self._state(m, "RESULT"):
            # A token comes: pass it back at once, unless the answer ends here.
            self._ask_for_sample(m)
            m.d.comb += [
                core_i.payload.id.eq(core_o.payload.id),
                core_i.payload.enter.eq(1),
                core_i.valid.eq(core_o.valid & ~self._ending),
                core_o.ready.eq(1),
            ]
            m.d.sync += self._part.eq(0)
            with m.If(core_o.valid):
                m.d.comb += [
                    self.sampled.eq(1),
                    self.sample_start.eq(core_i.valid & core_i.ready),
                ]
                m.d.sync += [
                    self._pending_id.eq(core_o.payload.id),
                    self._word.eq(core_o.payload.crc),
                    self._pending.eq(~self.sample_start),
                    self._in_flight.eq(self.sample_start),
                    self._newline.eq(core_o.payload.id == NEWLINE),
                    self._finishing.eq(self._ending),
                    self.run.reason.eq(self._ends),
                    self._token.eq(core_o.payload.id),
                ]
                m.next = "LOW"
                with m.If(core_o.payload.id == self.facts.eos):
                    self._finish(m, Status.OK)
                with m.Else():
                    m.d.sync += self.run.count.eq(self.run.count + 1)
        with_crc = self._has_flag(GenerateFlag.CRC)
        with self._state(m, "LOW"):
            # Write the token, or its low byte.
            with self._written(m, self._token[:8], end=~self._wide & ~with_crc):
                with m.If(self._wide):
                    m.next = "HIGH"
                with m.Elif(with_crc):
                    m.next = "WORD"
                with m.Else():
                    m.next = "AFTER"
        with self._state(m, "HIGH"):
            # Its high byte.
            with self._written(m, self._token[8:], end=~with_crc):
                m.next = "AFTER"
                with m.If(with_crc):
                    m.next = "WORD"
        with self._state(m, "AFTER"):
            # On to the token that is being computed, or to the end.
            with m.If(self._finishing):
                self._finish(m, Status.OK)
            with m.Elif(self._in_flight):
                m.next = "RESULT"
            with m.Else():
                m.next = "NEXT"

    @contextmanager
    def _written(self, m: Module, byte: Value, *, end: Value) -> Iterator[None]:
        """A byte of the message is offered; what is inside happens as it is taken."""
        body = self.message.body
        m.d.comb += [body.payload.byte.eq(byte), body.payload.end.eq(end), body.valid.eq(1)]
        with m.If(body.ready):
            yield

    def _word_states(self, m: Module) -> None:
        """A CRC behind a token or as a score, and the logits behind that."""
        with self._state(m, "WORD"):
            # Write its four bytes.
            with self._written(m, self._word[:8], end=self._part == 3):
                m.d.sync += [self._part.eq(self._part + 1), self._word.eq(self._word >> 8)]
                with m.If(self._part == 3):
                    m.next = "TOKEN"
                    with m.If(self._is_generate):
                        m.next = "AFTER"
                    with m.Elif(self._want_logits):
                        m.next = "LOGIT"
        with self._state(m, "LOGIT"):
            # Turn to the next logit, if there is one.
            m.d.sync += self._is_logit.eq(1)
            with m.If(self._is_logit):
                m.d.sync += self.logits.id.eq(self.logits.id + 1)
            m.next = "LOOK_UP"
            with m.If(self._is_logit & (self.logits.id == (self.facts.vocab - 1)[:ID_BITS])):
                m.next = "TOKEN"
        with self._state(m, "LOOK_UP"):
            # The core needs a cycle for it.
            m.next = "LATCH"
        with self._state(m, "LATCH"):
            m.d.sync += self._word.eq(self.logits.value)
            m.next = "WORD"

    def _end_states(self, m: Module) -> None:
        core_o = self.core.o
        with self._state(m, "FINISH"):
            # Report when the core rests, so that its cycles are counted.
            with m.If(self.core.idle):
                m.d.comb += self.run.done.eq(1)
                m.next = "IDLE"
        with m.State("ABANDON"):
            # Let the core finish; a token it samples is pending, although no answer carries it.
            m.d.comb += core_o.ready.eq(1)
            with m.If(core_o.valid & self._in_flight):
                m.d.comb += self.sampled.eq(1)
                m.d.sync += [
                    self._pending.eq(1),
                    self._pending_id.eq(core_o.payload.id),
                    self._in_flight.eq(0),
                ]
            with m.If(self.core.idle):
                m.next = "IDLE"
