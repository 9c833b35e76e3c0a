# SPDX-License-Identifier: MIT
"""The token loops always come to an end, and an answer is never longer than asked for."""

from typing import Any

from amaranth.hdl import Cat, Const, Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.messages import GENERATE_BYTES
from glintfpga.firmware.wire.protocol import Op
from glintfpga.hdl.core_port import ID_BITS
from glintfpga.hdl.link.message_writer import LONGEST_UNIT
from glintfpga.hdl.service.token_loops import ONE_BYTE_VOCAB, TokenLoops
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps

__all__ = ["TokenLoopsProperties"]

LAST_ID = (1 << ID_BITS) - 1
ORDER = (
    ("IDLE",),
    ("ABANDON",),
    ("FINISH",),
    ("AFTER",),
    ("WORD", "LOGIT", "LOOK_UP", "LATCH"),
    ("HIGH",),
    ("LOW",),
    ("SCORE", "RESULT"),
    ("ENTER", "ASK_CORE"),
    ("ENTER_PENDING", "NEXT"),
    ("CHECK", "SEED"),
    ("TOKEN_HIGH", "JUDGE"),
    ("TOKEN", "ASK"),
    ("FLAGS",),
)
"""States from the last to the first of a round: a token of a body, or one of an answer."""


class TokenLoopsProperties(Elaboratable):
    """For any body and any core.

    In every cycle the work left of the round gets less, or the loops wait for one of what
    ``waits`` lists, or a round ends: a token was entered, scored or written.
    Assumed: ``op``, ``vocab`` (2 or more) and ``eos`` stay while busy, no start and no
    clear_context while busy, the core shows the same logit as long as it is asked for the same.
    """

    def __init__(self, loops: TokenLoops) -> None:
        self.loops = loops

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.loops
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        busy = before(m, dut.run.busy)
        for value in (dut.run.op, dut.facts.vocab, dut.facts.eos):
            assume(m, ~(busy | dut.run.busy) | (value == before(m, value)))
        assume(m, ~(dut.run.start | dut.clear_context) | ~dut.run.busy)
        assume(
            m, (dut.run.op == Op.PROMPT) | (dut.run.op == Op.SCORE) | (dut.run.op == Op.GENERATE)
        )
        assume(m, dut.facts.vocab > 1)
        asked = before(m, dut.logits.id)
        assume(m, (dut.logits.id != asked) | (dut.logits.value == before(m, dut.logits.value)))

        byte, answered = dut.i.valid, dut.message.body.ready
        waits = {
            "FLAGS": ~byte,
            "TOKEN": ~byte & ~dut.end,
            "TOKEN_HIGH": ~byte,
            "ASK": ~byte,
            "ENTER_PENDING": ~dut.core.i.ready,
            "ENTER": ~dut.core.i.ready,
            "ASK_CORE": ~dut.core.i.ready,
            "SCORE": ~dut.core.o.valid,
            "RESULT": ~dut.core.o.valid,
            "SEED": ~dut.seed.ready,
            "LOW": ~answered,
            "HIGH": ~answered,
            "WORD": ~answered,
            "FINISH": ~dut.core.idle,
            "ABANDON": ~dut.core.idle,
        }
        waiting = Signal()
        for name, reason in waits.items():
            with m.If(inside.state(name) & reason):
                m.d.comb += waiting.eq(1)
        rank = Signal(range(len(ORDER)))
        for place, states in enumerate(ORDER):
            with m.If(inside.state(*states)):
                m.d.comb += rank.eq(place)
        idle, state = inside.state("IDLE"), inside.state
        part, is_logit, request_count = inside["part"], inside["is_logit"], inside["request_count"]
        # Within a state: bytes of the request; or logits, and bytes of a word.
        looking = state("LOOK_UP", "LATCH")
        shown = state("WORD", "LOGIT") | looking
        step = Mux(looking, 5 + state("LOOK_UP"), Mux(state("WORD"), 4 - part, 0))
        logits = Mux(is_logit | looking, dut.facts.vocab - 1 - dut.logits.id, LAST_ID)
        request = Mux(state("ASK"), GENERATE_BYTES - request_count, 0)
        detail = Mux(shown, Cat(step[:3], logits[:ID_BITS]), request)
        work = Cat(detail[: ID_BITS + 3], rank)
        past = before(m, work)
        round_ends = before(
            m,
            state("AFTER") | state("ENTER") | state("LOGIT", "WORD") & (dut.run.op == Op.SCORE),
        ) & state("RESULT", "NEXT", "TOKEN")
        begun = before(m, idle, init=1)
        halted = state("ABANDON")
        free = begun | round_ends | halted
        always(m, "the loops go on unless they wait", free | before(m, waiting) | (work < past))
        always(m, "a round never goes back", free | (work <= past))
        listed = {name for group in ORDER for name in group}
        always(m, "every state has its place", Const(set(inside.states()) == listed))
        always(m, "only these states", inside["fsm_state"] < len(inside.states()))
        may_stop = ~idle & ~state("SEED", "FINISH", "ABANDON")
        stopped = before(m, dut.stop & may_stop)
        always(m, "a new session ends any of them", ~stopped | halted)

        generate = dut.run.op == Op.GENERATE
        limit, count = inside["request"][:32], dut.run.count
        answering_state = state("NEXT", "ASK_CORE", "RESULT", "LOW", "HIGH", "WORD", "AFTER")
        answering = generate & answering_state
        always(m, "an answer has no more tokens than asked for", ~answering | (count <= limit))
        always(
            m,
            "a sampled token is one of them",
            ~(generate & state("RESULT", "ASK_CORE")) | (count < limit),
        )

        unit = Signal(range(LONGEST_UNIT + 1))
        given = dut.message.body.valid & answered
        m.d.sync += unit.eq(
            Mux(idle | halted, 0, Mux(given, Mux(dut.message.body.payload.end, 0, unit + 1), unit))
        )
        wide = inside["wide"]
        always(m, "width is known", ~busy | (wide == (dut.facts.vocab > ONE_BYTE_VOCAB)))
        of_id = Mux(generate, 1 + wide, 0)
        written = Mux(state("WORD"), of_id + part, state("HIGH"))
        always(m, "a unit is an id and a word", halted | idle | (unit == written))
        writing = state("LOW", "HIGH", "AFTER", "LOGIT") | looking
        always(m, "a word begins with its first byte", ~writing | (part == 0))
        score, prompt = dut.run.op == Op.SCORE, dut.run.op == Op.PROMPT
        asking = state("ASK", "JUDGE", "SEED")
        always(m, "requests are for answers", ~asking | generate)
        always(m, "states of an answer", state("WORD") | ~answering_state | generate)
        always(m, "states of a score", ~(state("FLAGS", "SCORE", "LOGIT") | looking) | score)
        entering = state("TOKEN", "TOKEN_HIGH", "CHECK", "ENTER_PENDING", "ENTER")
        always(m, "states of a body", ~entering | score | prompt)
        always(m, "no word of a prompt", ~state("WORD") | ~prompt)
        always(m, "a high byte only of wide ids", ~state("HIGH") | wide)
        always(
            m,
            "a logit is one of the model",
            ~(shown & is_logit) | (dut.logits.id < dut.facts.vocab),
        )
        always(
            m, "an answer has no logits", ~(is_logit & generate) | idle | halted | state("FINISH")
        )
        fresh = is_logit | (dut.logits.id == 0) | generate
        always(m, "the first logit is that of id 0", ~shown | fresh)
        always(m, "a look-up is for a logit", ~looking | is_logit)
        reached, finishing = inside["reached"], inside["finishing"]
        known = state("NEXT", "RESULT", "ASK_CORE", "AFTER")
        always(m, "a request has 15 bytes", ~state("ASK") | (request_count < GENERATE_BYTES))
        always(m, "a request begins with no token counted", ~asking | (count == 0))
        compared = (inside["last"] == (count + 1 == limit)) & (reached == (count == limit))
        always(m, "the count is compared", ~(known & generate) | compared)
        more = finishing | (count < limit)
        always(
            m,
            "a further token is wanted",
            ~(generate & state("LOW", "HIGH", "WORD", "AFTER")) | more,
        )
        always(m, "an end among every six bytes", unit < LONGEST_UNIT)
        stream_keeps(m, dut.message.body, unless=dut.stop)
        # A token is offered back for one cycle only: the core takes it or does without.
        stream_keeps(m, dut.core.i, unless=dut.stop | state("RESULT"))
        stream_keeps(m, dut.seed)

        m.d.comb += Cover(dut.run.done & (dut.run.op == Op.PROMPT) & (count == 1), "a prompt ends")
        m.d.comb += Cover(dut.run.done & (dut.run.op == Op.SCORE) & (count == 1), "a score ends")
        return m
