# SPDX-License-Identifier: MIT
"""Composes the frames a device sends: HELLO answers and DATA."""

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import (
    DATA_HEADER,
    HELLO_HEADER,
    MAX_PAYLOAD,
    TO_HOST_RING,
    Kind,
)
from glintfpga.hdl.hello_layout import MAX_INFO
from glintfpga.hdl.link.framing import BODY_BYTE, FIRST_BYTE
from glintfpga.hdl.primitives.memory import ReadPort

__all__ = ["FrameWriter"]


class FrameWriter(wiring.Component):
    """Requests to frame bodies; one frame at a time, HELLO first.

    A frame is begun only when the transmitter has room for all of it, so its ack and credit are at
    most two frames old when they are sent.

    Latency: a header byte every 2 cycles, an info or payload byte every 3 cycles.

    Members
    -------
    hello : In(1)
        Send a HELLO; ``hello_accepted`` acknowledges.
    nonce : In(32)
        Of the last HELLO; its low byte is the session.
    ack_due : In(1)
        Send a DATA, even an empty one; ``data_accepted`` acknowledges.
    sendable, offset, settled, flight : In
        As in `StreamSender`; a DATA is sent whenever ``sendable`` is not 0.
    expected, credit : In
        Ack and credit for the header.
    hello_accepted, data_accepted : Out(1)
        Strobe: the request is being served.
    ring, info : Out(ReadPort)
        Where payload comes from: the sender's ring, by the low bits of a stream offset, and the
        `HelloInfo` bytes.
    info_length : In(range)
        How many of these there are.
    o : Out(stream of BODY_BYTE)
    payload : Out(1)
        The frame that is being written has payload.
    abort : Out(1)
        Strobe: forget the frame that is being written.
    idle, hello_active : Out(1)
        No frame is being written; the one that is being written is a HELLO.
    """

    hello: In(1)
    nonce: In(32)
    ack_due: In(1)
    sendable: In(range(MAX_PAYLOAD + 1))
    offset: In(16)
    settled: In(1)
    flight: In(range(TO_HOST_RING + 1))
    expected: In(16)
    credit: In(8)
    hello_accepted: Out(1)
    data_accepted: Out(1)
    ring: Out(ReadPort(TO_HOST_RING))
    info: Out(ReadPort(MAX_INFO))
    info_length: In(range(MAX_INFO + 1))
    o: Out(stream.Signature(BODY_BYTE))
    payload: Out(1)
    abort: Out(1)
    idle: Out(1)
    hello_active: Out(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        at = Signal(range(DATA_HEADER))
        left = Signal(range(MAX_PAYLOAD + 1))
        address = Signal(range(TO_HOST_RING))
        byte = Signal(8)
        in_header = Signal()
        m.d.comb += [self.ring.address.eq(address), self.info.address.eq(address)]
        is_hello = Signal()
        offset = Signal(16)
        ack = Signal(16)
        credit = Signal(8)
        session = self.nonce[:8]
        of_hello = [FIRST_BYTE[Kind.HELLO], *(self.nonce.word_select(i, 8) for i in range(4))]
        of_data = [FIRST_BYTE[Kind.DATA], session, 0, offset[:8], offset[8:], ack[:8], ack[8:]]
        header = Signal(8)
        with m.Switch(Cat(at, is_hello)):
            for position, value in enumerate(of_hello):
                with m.Case(DATA_HEADER + position):
                    m.d.comb += header.eq(value)
            for position, value in enumerate(of_data):
                with m.Case(position):
                    m.d.comb += header.eq(value)
            with m.Default():
                m.d.comb += header.eq(credit)
        last_of_header = Signal()
        m.d.comb += [
            last_of_header.eq(at == Mux(is_hello, HELLO_HEADER - 1, DATA_HEADER - 1)),
            self.hello_active.eq(~self.idle & is_hello),
        ]
        with m.FSM():
            with m.State("IDLE"):
                # Wait for a request and a free transmitter.
                m.d.comb += self.idle.eq(1)
                m.d.sync += at.eq(0)
                with m.If(self.o.ready & self.hello):
                    m.d.comb += self.hello_accepted.eq(1)
                    m.d.sync += [
                        address.eq(0),
                        left.eq(self.info_length),
                        is_hello.eq(1),
                        self.payload.eq(0),
                    ]
                    m.next = "HEADER"
                with m.Elif(self.o.ready & self.settled & (self.ack_due | (self.sendable != 0))):
                    m.d.comb += self.data_accepted.eq(1)
                    m.d.sync += [
                        offset.eq(self.offset),
                        ack.eq(self.expected),
                        credit.eq(self.credit),
                        address.eq(self.offset),
                        left.eq(self.sendable),
                        is_hello.eq(0),
                        self.payload.eq(self.sendable != 0),
                    ]
                    m.next = "HEADER"
            with m.State("HEADER"):
                # Latch one of its 5 or 8 bytes: the way to the transmitter is long.
                m.d.sync += [byte.eq(header), in_header.eq(~last_of_header)]
                m.next = "BYTE"
            with m.State("FETCH"):
                # Read a byte; abort the frame if its payload is not safe to read any more.
                with m.If(is_hello):
                    m.d.comb += self.info.enable.eq(1)
                    m.next = "LATCH"
                with m.Elif(self.flight < left):
                    m.d.comb += self.abort.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.d.comb += self.ring.enable.eq(1)
                    m.next = "LATCH"
            with m.State("LATCH"):
                # The same for a byte of the payload.
                m.d.sync += [
                    byte.eq(Mux(is_hello, self.info.data, self.ring.data)),
                    address.eq(address + 1),
                    left.eq(left - 1),
                ]
                m.next = "BYTE"
            with m.State("BYTE"):
                # Hand it over.
                m.d.comb += [
                    self.o.payload.byte.eq(byte),
                    self.o.payload.last.eq(~in_header & (left == 0)),
                    self.o.valid.eq(1),
                ]
                with m.If(self.o.ready):
                    m.d.sync += at.eq(at + 1)
                    with m.If(in_header):
                        m.next = "HEADER"
                    with m.Elif(left == 0):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "FETCH"
        return m
