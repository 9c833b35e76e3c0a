# SPDX-License-Identifier: MIT
"""Reads messages from the host, has them executed, and answers each with DONE."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.messages import GENERATE_BYTES, Done
from glintfpga.firmware.wire.protocol import BAUDS, Op, Status
from glintfpga.hdl.link.message_writer import MessagePort
from glintfpga.hdl.service.counters import COUNTER_BYTES
from glintfpga.hdl.service.loops_port import LoopsPort

__all__ = ["CommandParser"]

DONE_BYTES = len(Done(op=0).encode())
SIZE_BYTES = 4
"""Of an image's size in LOAD."""


class CommandParser(wiring.Component):
    """Parses messages and writes DONE; token loops and loader do the work.

    Members
    -------
    i : In(stream of 8)
        Bytes from the host.
    stop : In(1)
        Strobe: a new session. Whatever runs is abandoned.
    message : Out(MessagePort), message_open, message_close
        To the `MessageWriter`, its own bytes (COUNTED, DONE).
    loops : Out(LoopsPort)
        To `TokenLoops`; ``op`` is the running command, whoever works on it.
    load_start, load_stop : Out(1)
        Strobes for the image loader, see `LoaderPort`.
    load_done, load_ok, load_ready : In(1)
        From there; ready: it takes a byte now.
    load_take : Out(1)
        Strobe: the image that it has loaded is the model from now on, and is to be tested.
    image_end : Out(1)
        All bytes of the image have come.
    testing, self_test_failed : In(1)
        The self-test runs, and commands wait; strobe: it failed, so there is no model.
    body : Out(stream of 8)
        What is left of the running message, for the component that works on it.
    body_end : Out(1)
        Nothing is left of it.
    loading : Out(1)
        ``body`` goes to the loader, else to the token loops.
    block_load : In(1)
        No LOAD may start now.
    clear_context : Out(1)
        Strobe: the context is to be empty (for core and token loops).
    core_idle : In(1)
    wide : In(1)
        A token has two bytes.
    report : Out(1), counted : In(stream of 8)
        To `CounterBank`.
    switch : Out(stream of a baud index)
        To `Link`.
    model, default_image : Out(1)
        There is a model; it is the one of power-up.
    """

    def __init__(self, *, has_model: bool):
        self.has_model = has_model
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "stop": In(1),
                "message": Out(MessagePort),
                "message_open": In(1),
                "message_close": Out(1),
                "loops": Out(LoopsPort),
                "load_start": Out(1),
                "load_stop": Out(1),
                "load_done": In(1),
                "load_ok": In(1),
                "load_ready": In(1),
                "load_take": Out(1),
                "image_end": Out(1),
                "testing": In(1),
                "self_test_failed": In(1),
                "body": Out(stream.Signature(8)),
                "body_end": Out(1),
                "loading": Out(1),
                "block_load": In(1),
                "clear_context": Out(1),
                "core_idle": In(1),
                "wide": In(1),
                "report": Out(1),
                "counted": In(stream.Signature(8)),
                "switch": Out(stream.Signature(range(len(BAUDS)))),
                "model": Out(1, init=has_model),
                "default_image": Out(1, init=has_model),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        loops = self.loops
        left = Signal(16)
        status = Signal(Status)
        worked = Signal()  # the loops have executed it
        sent = Signal(range(COUNTER_BYTES))
        body_accepted = Signal()
        # Registered, as all that waits for a byte depends on it; stale while `left` is received.
        m.d.sync += self.body_end.eq(Mux(body_accepted, left == 1, left == 0))
        m.d.comb += [
            self.body.payload.eq(self.i.payload),
            loops.abort.eq(self.body_end & self.i.valid & (self.i.payload == Op.ABORT)),
        ]
        with m.If(body_accepted):
            m.d.sync += left.eq(left - 1)

        # An image on its way: `load_open` until its last byte or a fault, `whole` if it is good.
        image_left = Signal(8 * SIZE_BYTES)
        load_open = Signal()
        whole = Signal()
        part_accepted = body_accepted & self.loading
        m.d.sync += self.image_end.eq(Mux(part_accepted, image_left == 1, image_left == 0))
        with m.If(part_accepted):
            m.d.sync += image_left.eq(image_left - 1)
        with m.If(self.load_start):
            m.d.comb += self.clear_context.eq(1)
            m.d.sync += [load_open.eq(1), self.model.eq(0), self.default_image.eq(0)]
        with m.If(self.load_done):
            m.d.sync += [load_open.eq(0), whole.eq(self.load_ok)]
        with m.If(self.load_take | self.load_stop | self.stop):
            m.d.sync += [load_open.eq(0), whole.eq(0)]
        with m.If(self.self_test_failed):
            m.d.sync += [self.model.eq(0), self.default_image.eq(0)]

        # The first check that fails gives the status.
        fixed = Signal(8)
        has_fixed = Signal()
        needs_model = Signal()
        verdict = Signal(Status)
        tokens = (loops.op == Op.PROMPT) | (loops.op == Op.SCORE)
        odd = left[0] ^ (loops.op == Op.SCORE)
        known = (loops.op != 0) & (loops.op <= Op.SET_BAUD)
        m.d.comb += [
            needs_model.eq(loops.op <= Op.ABORT),
            has_fixed.eq(~tokens & (loops.op != Op.LOAD_PART)),
        ]
        with m.Switch(loops.op):
            with m.Case(Op.GENERATE):
                m.d.comb += fixed.eq(GENERATE_BYTES)
            with m.Case(Op.LOAD):
                m.d.comb += fixed.eq(SIZE_BYTES)
            with m.Case(Op.SET_BAUD):
                m.d.comb += fixed.eq(1)
        bad_length = Signal()
        m.d.sync += bad_length.eq(
            (has_fixed & (left != fixed))
            | (tokens & self.wide & odd)
            | ((loops.op == Op.SCORE) & (left == 0))
        )
        with m.If(~known):
            m.d.comb += verdict.eq(Status.UNKNOWN_OP)
        with m.Elif(needs_model & ~self.model):
            m.d.comb += verdict.eq(Status.NO_MODEL)
        with m.Elif(bad_length):
            m.d.comb += verdict.eq(Status.BAD_LENGTH)

        @contextmanager
        def state(name: str) -> Iterator[None]:
            """A state that a new session ends."""
            with m.State(name):
                yield
                with m.If(self.stop):
                    m.next = "STOP"

        def pass_body(end: Value) -> None:
            m.d.comb += [
                self.body.valid.eq(self.i.valid & ~end),
                self.i.ready.eq(self.body.ready & ~end),
                body_accepted.eq(self.body.valid & self.body.ready),
            ]

        with m.FSM():
            with state("OP"):
                # First byte of a message.
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [worked.eq(0), sent.eq(0)]
                with m.If(self.i.valid):
                    m.d.sync += loops.op.eq(self.i.payload)
                    m.next = "LENGTH_LOW"
            with state("LENGTH_LOW"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += left[:8].eq(self.i.payload)
                    m.next = "LENGTH_HIGH"
            with state("LENGTH_HIGH"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += left[8:].eq(self.i.payload)
                    m.next = "SETTLE"
            with state("SETTLE"):
                # A cycle for the length's check, and for the loops to come to rest.
                with m.If(~loops.busy & ~self.testing):
                    m.next = "CHECK"
            with state("CHECK"):
                # Refuse it, or start the work.
                m.d.sync += status.eq(verdict)
                with m.If(verdict != Status.OK):
                    m.next = "DRAIN"
                with m.Else():
                    with m.Switch(loops.op):
                        with m.Case(Op.RESET):
                            m.d.comb += self.clear_context.eq(1)
                            m.next = "REST"
                        with m.Case(Op.PROMPT, Op.SCORE, Op.GENERATE):
                            m.d.comb += loops.start.eq(1)
                            m.next = "LOOPS"
                        with m.Case(Op.LOAD):
                            with m.If(self.block_load):
                                m.next = "CHECK"
                            with m.Else():
                                m.d.comb += self.load_stop.eq(1)
                                m.next = "SIZE"
                        with m.Case(Op.LOAD_PART):
                            m.next = "PART"
                            with m.If(~load_open):
                                m.d.sync += status.eq(Status.NO_LOAD)
                                m.next = "DRAIN"
                        with m.Case(Op.LOAD_END):
                            m.next = "DRAIN"
                            m.d.sync += status.eq(Mux(load_open, Status.BAD_LENGTH, Status.NO_LOAD))
                            with m.If(whole):
                                m.d.comb += [self.load_take.eq(1), self.clear_context.eq(1)]
                                m.d.sync += [status.eq(Status.OK), self.model.eq(1)]
                                m.next = "REST"
                            with m.Else():
                                m.d.comb += self.load_stop.eq(1)
                        with m.Case(Op.COUNTERS):
                            m.next = "COUNTERS"
                        with m.Case(Op.SET_BAUD):
                            m.next = "BAUD"
                        with m.Default():
                            m.next = "DRAIN"
            with state("LOOPS"):
                # The token loops work.
                pass_body(self.body_end)
                with m.If(loops.done):
                    m.d.sync += [status.eq(loops.status), worked.eq(1)]
                    m.next = "DRAIN"
            with state("SIZE"):
                # The size of an image; with its last byte the loader starts.
                m.d.comb += [self.i.ready.eq(1), body_accepted.eq(self.i.valid)]
                with m.If(self.i.valid):
                    m.d.sync += image_left.eq(Cat(image_left[8:], self.i.payload))
                    with m.If(left == 1):
                        m.d.comb += self.load_start.eq(1)
                        m.next = "DRAIN"
            with state("PART"):
                # The loader works, until it has come to an end or waits for bytes of the next part.
                # It gets no more bytes than were announced.
                pass_body(self.body_end | self.image_end)
                m.d.comb += self.loading.eq(1)
                with m.If(self.load_done):
                    with m.If(~self.load_ok):
                        m.d.sync += status.eq(Status.BAD_IMAGE)
                    with m.Elif(~self.body_end):
                        m.d.sync += [status.eq(Status.BAD_LENGTH), whole.eq(0)]
                    m.next = "DRAIN"
                with m.Elif(self.body_end & self.load_ready & ~self.image_end):
                    m.next = "DRAIN"
            with state("REST"):
                # The core reads its tables again; a new model is tested.
                with m.If(self.self_test_failed):
                    m.d.sync += status.eq(Status.SELF_TEST)
                with m.If(self.core_idle & ~self.testing):
                    m.next = "DRAIN"
            with state("COUNTERS"):
                # Copy the counters.
                m.d.comb += [
                    self.report.eq(1),
                    self.message.op.eq(Op.COUNTED),
                    self.message.body.valid.eq(self.counted.valid),
                    self.message.body.payload.byte.eq(self.counted.payload),
                    self.counted.ready.eq(self.message.body.ready),
                ]
                with m.If(self.message.body.valid & self.message.body.ready):
                    m.d.sync += sent.eq(sent + 1)
                    with m.If(sent == COUNTER_BYTES - 1):
                        m.d.sync += sent.eq(0)
                        m.next = "DRAIN"
            with state("BAUD"):
                # The index of the new rate.
                m.d.comb += [self.i.ready.eq(1), body_accepted.eq(self.i.valid)]
                with m.If(self.i.valid):
                    m.d.sync += self.switch.payload.eq(self.i.payload)
                    with m.If(self.i.payload >= len(BAUDS)):
                        m.d.sync += status.eq(Status.BAD_ARGUMENT)
                    m.next = "DRAIN"
            with state("DRAIN"):
                # Read over what is left of the body, and end an open message.
                m.d.comb += [
                    self.i.ready.eq(~self.body_end),
                    body_accepted.eq(self.i.valid & ~self.body_end),
                    self.message_close.eq(1),
                ]
                with m.If(self.body_end & ~self.message_open):
                    m.next = "DONE"
            with state("DONE"):
                # Write its body.
                m.d.comb += [
                    self.message.op.eq(Op.DONE),
                    self.message.body.valid.eq(1),
                ]
                count = (loops.count[i : i + 8] for i in range(0, 32, 8))
                fields = [loops.op, status, loops.reason, *count]
                with m.Switch(sent):
                    for position, value in enumerate(fields):
                        with m.Case(position):
                            shown = Mux(worked, value, 0) if position >= 2 else value
                            m.d.comb += self.message.body.payload.byte.eq(shown)
                with m.If(self.message.body.ready):
                    m.d.sync += sent.eq(sent + 1)
                    with m.If(sent == DONE_BYTES - 1):
                        m.next = "CLOSE"
            with state("CLOSE"):
                # End the message; then the next one, or first the new rate.
                m.d.comb += self.message_close.eq(1)
                with m.If(~self.message_open):
                    m.next = "OP"
                    with m.If((loops.op == Op.SET_BAUD) & (status == Status.OK)):
                        m.next = "SWITCH"
            with state("SWITCH"):
                # Wait until the link has changed the rate.
                m.d.comb += self.switch.valid.eq(1)
                with m.If(self.switch.ready):
                    m.next = "OP"
            with m.State("STOP"):
                # Let the token loops come to rest.
                with m.If(~loops.busy & ~self.testing & self.core_idle):
                    m.next = "OP"
        return m
