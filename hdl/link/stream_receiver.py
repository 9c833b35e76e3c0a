# SPDX-License-Identifier: MIT
"""Receiving end of a numbered byte stream: a ring in block RAM."""

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    CREDIT_UNIT,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
)
from glintfpga.hdl.primitives.memory import outside_reset

__all__ = ["StreamReceiver"]

CREDIT_SHIFT = CREDIT_UNIT.bit_length() - 1


class StreamReceiver(wiring.Component):
    """Payloads of frames to a stream of bytes in order.

    A payload is written into the free space of the ring while it arrives and counts only when the
    frame turns out to be intact and the next one; otherwise the next frame overwrites it. The
    frame's CRC arrives behind the payload and is written too where there is room: it is never
    counted. Reading stays behind ``expected`` and writing at or before the oldest unread byte, so
    the two ports of the ring never meet.

    Latency: 3 cycles from ``take`` to a byte on ``o``; a byte every 3 cycles from then on.

    Members
    -------
    start : In(1)
        Strobe before the first payload byte of a frame.
    valid, data : In
        Strobe and payload byte.
    take : In(1)
        Strobe: the frame is intact, has ``length`` payload bytes and starts at ``offset``.
    offset, length : In
    o : Out(stream of 8)
        The bytes in order. A byte frees its place when it is handed over, not when it is shown.
    expected : Out(16)
        Offset of the next byte to take, modulo 65536.
    credit : Out(8)
        Free space in units of 32 bytes, 2 cycles late.
    dropped : Out(1)
        Strobe, 1 cycle after ``take``: the payload was not the next one, or did not fit.
    clear : In(1)
        Strobe: empty the ring, offset 0. A byte on ``o`` vanishes.
    """

    start: In(1)
    valid: In(1)
    data: In(8)
    take: In(1)
    offset: In(16)
    length: In(range(TO_DEVICE_PAYLOAD + 1))
    o: Out(stream.Signature(8))
    expected: Out(16)
    credit: Out(8)
    dropped: Out(1)
    clear: In(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=8, depth=TO_DEVICE_RING, init=[])
        write = ring.write_port()
        read = ring.read_port()

        # `position` runs to twice the ring, so that full and empty differ.
        position = Signal(range(2 * TO_DEVICE_RING))
        free = Signal(range(TO_DEVICE_RING + 1), init=TO_DEVICE_RING)
        held = Signal(range(2 * TO_DEVICE_RING))
        m.d.comb += held.eq(self.expected - position)
        m.d.sync += free.eq(TO_DEVICE_RING - held)
        m.d.sync += self.credit.eq(free >> CREDIT_SHIFT)

        # `over` counts the bytes that found no room, and the CRC may be among them.
        room = Signal(range(TO_DEVICE_RING + 1))
        over = Signal(range(CRC_BYTES + 2))
        place = Signal(range(TO_DEVICE_RING))
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(self.data),
            write.en.eq(outside_reset(self.valid & (room != 0))),
        ]
        with m.If(self.start):
            m.d.sync += [
                place.eq(self.expected),
                room.eq(free),
                over.eq(0),
            ]
        with m.Elif(self.valid):
            with m.If(room != 0):
                m.d.sync += [place.eq(place + 1), room.eq(room - 1)]
            with m.Elif(over <= CRC_BYTES):
                m.d.sync += over.eq(over + 1)

        fits = Signal()
        m.d.comb += fits.eq((self.offset == self.expected) & (over <= CRC_BYTES))
        m.d.sync += self.dropped.eq(self.take & ~fits & (self.length != 0))
        with m.If(self.take & fits):
            m.d.sync += self.expected.eq(self.expected + self.length)

        reading = Signal()
        m.d.comb += [read.addr.eq(position), read.en.eq(0)]
        with m.If(reading):
            m.d.sync += [self.o.payload.eq(read.data), self.o.valid.eq(1), reading.eq(0)]
        with m.Elif(~self.o.valid):
            with m.If(held != 0):
                m.d.comb += read.en.eq(1)
                m.d.sync += reading.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += [position.eq(position + 1), self.o.valid.eq(0)]

        with m.If(self.clear):
            m.d.sync += [self.expected.eq(0), position.eq(0), self.o.valid.eq(0), reading.eq(0)]
        return m
