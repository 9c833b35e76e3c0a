# SPDX-License-Identifier: MIT
"""Every command gets its DONE: the parser waits only for things that others owe it."""

from typing import Any

from amaranth.hdl import Cat, Const, Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.protocol import Op
from glintfpga.hdl.service.command_parser import DONE_BYTES, CommandParser
from glintfpga.hdl.service.counters import COUNTER_BYTES
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps

__all__ = ["CommandParserProperties"]

ORDER = (
    ("OP",),
    ("STOP",),
    ("SWITCH",),
    ("CLOSE",),
    ("DONE",),
    ("DRAIN",),
    ("REST",),
    ("LOOPS", "LOAD", "COUNTERS", "BAUD"),
    ("CHECK",),
    ("SETTLE",),
    ("LENGTH_HIGH",),
    ("LENGTH_LOW",),
)
"""States from the last to the first of a command."""


class CommandParserProperties(Elaboratable):
    """For any bytes, and for token loops, loader, core, answer and link that may do anything.

    In every cycle of a command either the work left gets less, or the parser waits for one of
    what ``waits`` lists; so, where each of these comes in the end, the parser comes to rest.
    Assumed: the token loops keep status, reason and count while DONE is written.
    """

    def __init__(self, parser: CommandParser) -> None:
        self.parser = parser

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.parser
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        left, sent = inside["left"], inside["sent"]
        byte, answered = dut.i.valid, dut.message.body.ready
        waits = {
            "LENGTH_LOW": ~byte,
            "LENGTH_HIGH": ~byte,
            "SETTLE": dut.loops.busy | dut.testing,
            "CHECK": dut.block_load,
            "LOOPS": ~dut.loops.done,
            "LOAD": ~dut.load_done,
            "REST": ~dut.core_idle | dut.testing,
            "COUNTERS": ~(dut.counted.valid & answered),
            "BAUD": ~byte,
            "DRAIN": Mux(dut.body_end, dut.message_open, ~byte),
            "DONE": ~answered,
            "CLOSE": dut.message_open,
            "SWITCH": ~dut.switch.ready,
            "STOP": dut.loops.busy | ~dut.core_idle | dut.testing,
        }
        waiting = Signal()
        for state, reason in waits.items():
            with m.If(inside.state(state) & reason):
                m.d.comb += waiting.eq(1)
        rank = Signal(range(len(ORDER)))
        for place, states in enumerate(ORDER):
            with m.If(inside.state(*states)):
                m.d.comb += rank.eq(place)
        work = Cat((COUNTER_BYTES - sent)[:6], left, rank)
        past = before(m, work)
        idle, stop = before(m, rank == 0, init=1), before(m, dut.stop)
        always(
            m, "a command goes on unless it waits", idle | stop | before(m, waiting) | (work < past)
        )
        always(m, "and never goes back", idle | stop | (work <= past))
        listed = {name for group in ORDER for name in group}
        named = set(inside.states()) == {"OP", *waits} == listed
        always(m, "every state has its place", Const(named))
        always(m, "only these states", inside["fsm_state"] < len(inside.states()))
        stopped = before(m, dut.stop & (rank != 1))
        always(m, "a new session ends any command", ~stopped | (rank == 1))

        always(m, "COUNTED has its length", sent < COUNTER_BYTES)
        done = inside.state("DONE")
        always(m, "DONE has its length", ~done | (sent < DONE_BYTES))
        late = ("OP", "STOP", "SWITCH", "CLOSE", "DONE", "COUNTERS")
        always(m, "a body begins with its first byte", inside.state(*late) | (sent == 0))
        over = ("DONE", "CLOSE", "SWITCH")
        always(m, "the body was read to its end", ~inside.state(*over) | (left == 0))
        taken = dut.i.valid & dut.i.ready
        heads = inside.state("OP", "LENGTH_LOW", "LENGTH_HIGH")
        always(m, "no byte of the next command is taken", heads | ~taken | (left != 0))
        rated = (dut.loops.op == Op.SET_BAUD) & (left != 1)
        always(m, "a rate has one byte", ~(inside.state("CHECK") & rated) | inside["bad_length"])
        always(m, "and it is there", ~inside.state("BAUD") | (left == 1))
        always(m, "one body, one worker", ~(dut.loops.start & dut.load_start))
        unload = before(m, dut.load_start)
        always(m, "a load drops the model", ~unload | ~dut.model)

        shown = before(m, done)
        for value in (dut.loops.status, dut.loops.reason, dut.loops.count):
            assume(m, ~shown | (value == before(m, value)))
        # A counter may still count while its byte waits.
        stream_keeps(m, dut.message.body, unless=dut.stop | inside.state("COUNTERS"))
        stream_keeps(m, dut.switch, unless=dut.stop)

        m.d.comb += Cover(before(m, inside.state("CLOSE")) & (rank == 0), "a command ends")
        m.d.comb += Cover(dut.switch.valid, "a change of rate")
        return m
