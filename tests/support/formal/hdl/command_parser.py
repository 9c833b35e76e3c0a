# SPDX-License-Identifier: MIT
"""Every command gets its DONE: the parser waits only for things that others owe it."""

from typing import Any

from amaranth.hdl import Cat, Const, Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.protocol import Op, Status
from glintfpga.hdl.service.command_parser import DONE_BYTES, SIZE_BYTES, CommandParser
from glintfpga.hdl.service.counters import COUNTER_BYTES
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps

__all__ = ["CommandParserProperties"]

FAULTS = (Status.BAD_IMAGE, Status.BAD_LENGTH)
"""Of a part."""
ORDER = (
    ("OP",),
    ("STOP",),
    ("SWITCH",),
    ("CLOSE",),
    ("DONE",),
    ("DRAIN",),
    ("REST",),
    ("LOOPS", "SIZE", "PART", "COUNTERS", "BAUD"),
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
    Assumed: the token loops keep status, reason and count while DONE is written; the loader ends a
    load only while a part is read or within three cycles of a strobe, and finds an image good only
    when all its bytes have come (`ImageLoaderProperties`).
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
        given = dut.body.valid & dut.body.ready
        waits = {
            "LENGTH_LOW": ~byte,
            "LENGTH_HIGH": ~byte,
            "SETTLE": dut.loops.busy | dut.testing,
            "CHECK": dut.block_load,
            "LOOPS": ~dut.loops.done,
            "SIZE": ~byte,
            "PART": ~dut.load_done
            & Mux(dut.body_end | dut.image_end, dut.image_end | ~dut.load_ready, ~given),
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
        # Both ends are registers: a cycle late while the length is received, and at power-up.
        counting = inside.state("LENGTH_HIGH", "SETTLE", "STOP") | ~before(m, Const(1))
        always(m, "a body ends with its last byte", counting | (dut.body_end == (left == 0)))
        over = ("DONE", "CLOSE", "SWITCH")
        always(m, "the body was read to its end", ~inside.state(*over) | (left == 0))
        taken = dut.i.valid & dut.i.ready
        heads = inside.state("OP", "LENGTH_LOW", "LENGTH_HIGH")
        always(m, "no byte of the next command is taken", heads | ~taken | (left != 0))
        rated = (dut.loops.op == Op.SET_BAUD) & (left != 1)
        always(m, "a rate has one byte", ~(inside.state("CHECK") & rated) | inside["bad_length"])
        always(m, "and it is there", ~inside.state("BAUD") | (left == 1))
        sized = (dut.loops.op == Op.LOAD) & (left != SIZE_BYTES)
        always(m, "a size has four", ~(inside.state("CHECK") & sized) | inside["bad_length"])
        of_size = (left != 0) & (left <= SIZE_BYTES)
        always(m, "and no more are read", ~inside.state("SIZE") | of_size)
        always(m, "one body, one worker", ~(dut.loops.start & dut.load_start))
        unload = before(m, dut.load_start)
        always(m, "a load drops the model", ~unload | ~dut.model)
        self._load(m, inside)

        shown = before(m, done)
        for value in (dut.loops.status, dut.loops.reason, dut.loops.count):
            assume(m, ~shown | (value == before(m, value)))
        # A counter may still count while its byte waits.
        stream_keeps(m, dut.message.body, unless=dut.stop | inside.state("COUNTERS"))
        stream_keeps(m, dut.switch, unless=dut.stop)

        m.d.comb += Cover(before(m, inside.state("CLOSE")) & (rank == 0), "a command ends")
        m.d.comb += Cover(dut.switch.valid, "a change of rate")
        return m

    def _load(self, m: Module, inside: Inside) -> None:
        """An image in parts: what was announced, what came, and what became of it."""
        dut, left = self.parser, inside["left"]
        size_state, part, check = (inside.state(name) for name in ("SIZE", "PART", "CHECK"))
        load_open, whole, status = (inside[name] for name in ("load_open", "whole", "status"))
        given = dut.body.valid & dut.body.ready & dut.loading
        reset = dut.load_stop | dut.stop

        size, came = Signal(32), Signal(32)
        with m.If(size_state & dut.i.valid):
            # Four bytes push out what was there before.
            m.d.sync += [size.eq(Cat((size - came)[8:32], dut.i.payload)), came.eq(0)]
        with m.Elif(given):
            m.d.sync += came.eq(came + 1)
        begun, good = Signal(), Signal()  # and not ended; and ended well
        with m.If(reset | dut.load_take):
            m.d.sync += [begun.eq(0), good.eq(0)]
        with m.Elif(dut.load_start):
            m.d.sync += [begun.eq(1), good.eq(0)]
        with m.Elif(dut.load_done):
            # A part may not have more bytes than the image has left.
            m.d.sync += [begun.eq(0), good.eq(dut.load_ok & ~(part & ~dut.body_end))]

        strobes = [reset | dut.load_start]
        for _ in range(3):
            strobes.append(before(m, strobes[-1]))
        assume(m, ~dut.load_done | part | Cat(strobes[1:]).any())
        assume(m, ~(dut.load_done & dut.load_ok) | begun & (came == size))

        always(m, "no more bytes of an image than announced", came <= size)
        always(m, "what is left of an image", inside["image_left"] == (size - came)[:32])
        sized = before(m, size_state & dut.i.valid) | ~before(m, Const(1))
        always(m, "an image ends with its last byte", sized | (dut.image_end == (came == size)))
        always(m, "a byte behind its end is none", ~dut.loading | ~dut.body.valid | (came < size))
        always(m, "a load is open from its size to its end", load_open == begun)
        always(m, "and good only then", whole == good)
        always(m, "a good image has all its bytes", ~whole | dut.image_end & ~load_open)
        always(m, "only a good image is taken", ~dut.load_take | good)
        rising = dut.model & ~before(m, dut.model, init=1)
        always(m, "and only so a model comes", ~rising | before(m, dut.load_take))
        ended = before(m, reset | dut.load_take)
        always(m, "no load outlives a stop", ~ended | ~load_open & ~whole)
        always(m, "nor the size of the next", ~size_state | ~load_open & ~whole)
        always(m, "bytes go to an open load only", ~dut.loading | load_open)
        always(m, "a part is sound until it is not", ~part | (status == Status.OK))
        drains = before(m, part) & inside.state("DRAIN")
        sound = drains & (status == Status.OK)
        always(m, "a part that is sound was read whole", ~sound | (left == 0))
        always(m, "and is the last one or not", ~sound | (load_open ^ whole))
        always(m, "one that is not ends the load", ~drains | sound | ~load_open & ~whole)
        always(m, "with its cause", ~drains | sound | status.matches(*FAULTS))
        at_end = before(m, check & (dut.loops.op == Op.LOAD_END) & ~inside["bad_length"])
        always(m, "an end leaves nothing", ~at_end | ~load_open & ~whole)
        taken = at_end & (status == Status.OK) & ~before(m, dut.stop)
        always(m, "and is sound for a good image", ~taken | before(m, dut.load_take & good))

        m.d.comb += Cover(drains & sound & (size == 2) & load_open, "a part is taken")
        m.d.comb += Cover(dut.load_take, "an image is taken")

        # What makes it so: no command is judged so soon after a strobe.
        soon: tuple[str, ...] = ("STOP", "OP", "SIZE", "DRAIN")
        always(m, "a cycle after a strobe", ~strobes[1] | inside.state(*soon))
        soon += ("LENGTH_LOW", "DONE")
        always(m, "two cycles after", ~strobes[2] | inside.state(*soon))
        soon += ("LENGTH_HIGH", "CLOSE")
        always(m, "three cycles after", ~strobes[3] | inside.state(*soon))
        read = Mux(strobes[1], 0, Mux(strobes[2], 1, Mux(strobes[3], 2, 3)))
        always(m, "nor a size complete", ~size_state | (left + read >= SIZE_BYTES))
