# SPDX-License-Identifier: MIT
"""The link of a device: wire bytes on one side, two reliable byte streams on the other."""

from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import (
    BAUDS,
    CREDIT_UPDATE,
    FALLBACK_ERRORS,
    FALLBACK_S,
    SHORT_PAYLOAD,
    DataFlag,
    payload_limit,
)
from glintfpga.hdl.hello_layout import MAX_INFO
from glintfpga.hdl.link.frame_writer import FrameWriter
from glintfpga.hdl.link.framing import FrameReceiver, FrameTransmitter
from glintfpga.hdl.link.stream_receiver import StreamReceiver
from glintfpga.hdl.link.stream_sender import RingWrite, StreamSender
from glintfpga.hdl.link.uart import LineByte
from glintfpga.hdl.link_sizes import LARGE, LinkSizes
from glintfpga.hdl.primitives.memory import ReadPort

__all__ = ["Link"]

FALLBACK_TICKS = round(FALLBACK_S * 1000)


class Link(wiring.Component):
    """Sessions, acks, retries and the baud rate, as `glintfpga.firmware.wire.protocol` defines
    them.

    Parameters
    ----------
    clk_hz : int
        Clock of the domain ``sync``; sets the timers only.
    sizes : LinkSizes

    Members
    -------
    rx : In(LineByte)
        Bytes from the line.
    tx : Out(stream of 8)
        Bytes for the line.
    tx_idle : In(1)
        The line is idle.
    baud : Out(range)
        Index into `BAUDS`.
    switch : In(stream of a baud index)
        Change the rate once everything written is acked and the line is idle. Ready also when a
        fall-back cancels the change.
    o : Out(stream of 8)
        Bytes from the host, in order.
    ring : In(RingWrite)
        The bytes for the host.
    long : Out(1)
        Frames may be long at the rate of now.
    info : Out(ReadPort), info_length : In(range)
        The `HelloInfo` bytes, and how many.
    hello : Out(1)
        Strobe: a new session has begun, both streams are empty.
    hello_active : Out(1)
        The answer to a HELLO is not complete: leave the info alone.
    block_hello : In(1)
        The answer to a HELLO may not begin.
    tick_ms : Out(1)
        Strobe, once per millisecond.
    core_busy : In(1)
        The device computes: silence of the line does not count now.
    dropped, damaged, retry : Out(1)
        Strobes for the counters. A damaged frame is dropped too.
    """

    rx: In(LineByte)
    tx: Out(stream.Signature(8))
    tx_idle: In(1)
    baud: Out(range(len(BAUDS)))
    switch: In(stream.Signature(range(len(BAUDS))))
    o: Out(stream.Signature(8))
    ring: In(RingWrite)
    long: Out(1)
    info: Out(ReadPort(MAX_INFO))
    info_length: In(range(MAX_INFO + 1))
    hello: Out(1)
    hello_active: Out(1)
    block_hello: In(1)
    tick_ms: Out(1)
    core_busy: In(1)
    dropped: Out(1)
    damaged: Out(1)
    retry: Out(1)

    def __init__(self, *, clk_hz: int, sizes: LinkSizes = LARGE):
        self.clk_hz = clk_hz
        self.sizes = sizes
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.frames = frames = FrameReceiver()
        m.submodules.receiver = receiver = StreamReceiver()
        m.submodules.sender = sender = StreamSender(sizes=self.sizes)
        writer = FrameWriter()
        m.submodules.writer = ResetInserter(self.hello)(writer)
        m.submodules.transmitter = transmitter = FrameTransmitter(sizes=self.sizes)

        wiring.connect(m, wiring.flipped(self.rx), frames.i)
        wiring.connect(m, receiver.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.ring), sender.write)
        wiring.connect(m, writer.ring, sender.read)
        wiring.connect(m, writer.info, wiring.flipped(self.info))
        wiring.connect(m, writer.o, transmitter.i)
        wiring.connect(m, transmitter.o, wiring.flipped(self.tx))

        prescaler = Signal(range(self.clk_hz // 1000))
        m.d.sync += self.tick_ms.eq(prescaler == 0)
        with m.If(prescaler == 0):
            m.d.sync += prescaler.eq(self.clk_hz // 1000 - 1)
        with m.Else():
            m.d.sync += prescaler.eq(prescaler - 1)

        # Session: open from the first HELLO on.
        nonce = Signal(32)
        is_open = Signal()
        hello_due = Signal()
        m.d.comb += self.hello.eq(frames.hello)
        with m.If(frames.hello):
            m.d.sync += [nonce.eq(frames.header.as_value()[8:40]), is_open.eq(1), hello_due.eq(1)]
        with m.Elif(writer.hello_accepted):
            m.d.sync += hello_due.eq(0)
        m.d.comb += self.hello_active.eq(hello_due | writer.hello_active)

        # Frames that carry its number.
        in_session = Signal()
        valid_data = Signal()
        frame_received = Signal()
        m.d.comb += [
            in_session.eq(is_open & (frames.header.session == nonce[:8])),
            valid_data.eq(frames.data_frame & in_session),
            frame_received.eq(valid_data | frames.hello),
            receiver.start.eq(frames.start),
            receiver.valid.eq(frames.payload_valid),
            receiver.data.eq(frames.payload),
            receiver.take.eq(valid_data),
            receiver.offset.eq(frames.header.offset),
            receiver.length.eq(frames.length),
            receiver.clear.eq(frames.hello),
        ]

        # What requires a DATA frame, and its ack and credit.
        ack_due = Signal()
        low_credit = Signal()
        enough = Signal()
        m.d.comb += enough.eq(receiver.credit >= CREDIT_UPDATE)
        with m.If(writer.data_accepted):
            m.d.sync += [ack_due.eq(0), low_credit.eq(~enough)]
        poll = frames.header.flags[DataFlag.POLL.bit_length() - 1]
        with m.If(
            (valid_data & ((frames.length != 0) | poll))
            | (frames.damaged & is_open)
            | writer.abort
            | (low_credit & enough)
        ):
            m.d.sync += ack_due.eq(1)
        with m.If(low_credit & enough):
            m.d.sync += low_credit.eq(0)
        with m.If(frames.hello):
            m.d.sync += [ack_due.eq(0), low_credit.eq(0)]
        m.d.comb += [
            writer.hello.eq(hello_due & ~self.block_hello),
            writer.nonce.eq(nonce),
            writer.info_length.eq(self.info_length),
            writer.ack_due.eq(ack_due),
            writer.sendable.eq(sender.sendable),
            writer.offset.eq(sender.offset),
            writer.settled.eq(sender.settled & is_open),
            writer.flight.eq(sender.flight),
            writer.expected.eq(receiver.expected),
            writer.credit.eq(receiver.credit),
            transmitter.payload.eq(writer.payload),
            transmitter.abort.eq(writer.abort),
            transmitter.flush.eq(frames.hello),
        ]
        m.d.comb += [
            sender.take.eq(writer.data_accepted),
            sender.ack_valid.eq(valid_data),
            sender.ack.eq(frames.header.ack),
            sender.credit.eq(frames.header.credit),
            sender.empty.eq(frames.length == 0),
            sender.frame_received.eq(frame_received),
            sender.sending.eq(transmitter.sending_payload),
            sender.tick_ms.eq(self.tick_ms),
            sender.clear.eq(frames.hello),
            self.retry.eq(sender.retry),
            self.damaged.eq(frames.damaged),
            self.dropped.eq(
                frames.damaged
                | frames.foreign
                | receiver.dropped
                | (frames.data_frame & ~in_session)
            ),
        ]

        longs = [index for index, baud in enumerate(BAUDS) if payload_limit(baud) > SHORT_PAYLOAD]
        m.d.comb += [self.long.eq(self.baud.matches(*longs)), sender.long.eq(self.long)]

        # Baud rate: a change waits for the last ack, a fall-back for nothing.
        silent = Signal(range(FALLBACK_TICKS + 1))
        errors = Signal(range(FALLBACK_ERRORS + 1))
        settled = Signal()
        fall_back = Signal()
        m.d.comb += [
            settled.eq(
                (self.ring.oldest == self.ring.committed)
                & ~ack_due
                & ~hello_due
                & writer.idle
                & transmitter.idle
                & self.tx_idle
            ),
            fall_back.eq((silent == FALLBACK_TICKS) | (errors == FALLBACK_ERRORS)),
            self.switch.ready.eq(settled | fall_back),
        ]
        with m.If(frame_received | self.core_busy | fall_back):
            m.d.sync += silent.eq(0)
        with m.Elif(self.tick_ms):
            m.d.sync += silent.eq(silent + 1)
        with m.If(frame_received | fall_back):
            m.d.sync += errors.eq(0)
        with m.Elif(self.rx.valid & self.rx.error):
            m.d.sync += errors.eq(errors + 1)
        with m.If(fall_back):
            m.d.sync += self.baud.eq(0)
        with m.Elif(self.switch.valid & settled):
            m.d.sync += [self.baud.eq(self.switch.payload), silent.eq(0), errors.eq(0)]
        return m
