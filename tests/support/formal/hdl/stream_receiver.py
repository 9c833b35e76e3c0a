# SPDX-License-Identifier: MIT
"""The receiving ring never overflows, promises no room it lacks, and keeps every byte."""

from typing import Any

from amaranth.asserts import AnyConst
from amaranth.hdl import Cover, Elaboratable, Module, Mux, Signal, Value

from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    CREDIT_UNIT,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
)
from glintfpga.hdl.link.stream_receiver import StreamReceiver
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps

__all__ = ["FrameTiming", "StreamReceiverProperties"]

LONGEST = TO_DEVICE_PAYLOAD + CRC_BYTES
RING_BITS = TO_DEVICE_RING.bit_length() - 1


class FrameTiming:
    """What a `FrameReceiver` promises to a `StreamReceiver`, as ``promises``.

    ``count`` payload strobes have come since the last ``start``; ``active``: a frame is under way.
    """

    def __init__(
        self, m: Module, *, start: Value, valid: Value, take: Value, clear: Value, length: Value
    ) -> None:
        self.count = Signal(range(LONGEST + 2), name="frame_count")
        self.active = Signal(name="active")
        with m.If(start):
            m.d.sync += [self.count.eq(0), self.active.eq(1)]
        with m.Elif(take | clear):
            m.d.sync += self.active.eq(0)
        with m.Elif(valid):
            m.d.sync += self.count.eq(self.count + 1)
        self.taken = before(m, take | clear)
        self.promises = {
            "a frame's strobes come one by one": start + valid + take + clear <= 1,
            "payload belongs to a frame": ~valid | self.active,
            "a verdict counts the payload": ~take
            | (self.active & (length <= TO_DEVICE_PAYLOAD) & (self.count == length + CRC_BYTES)),
            "a frame has at most 516 bytes of payload and CRC": self.count <= LONGEST,
            "the next frame leaves time after a verdict": ~(start & self.taken),
        }


class StreamReceiverProperties(Elaboratable):
    """For any frames as `FrameTiming` describes them, and a reader that may wait at any time."""

    def __init__(self, receiver: StreamReceiver) -> None:
        self.receiver = receiver

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.receiver
        inside = Inside(dut)
        (read,) = inside.memory("ring").read_ports
        stored = inside.memory("ring").read_port(domain="comb")
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        frame = FrameTiming(
            m,
            start=dut.start,
            valid=dut.valid,
            take=dut.take,
            clear=dut.clear,
            length=dut.length,
        )
        for promise in frame.promises.values():
            assume(m, promise)
        expected, position = dut.expected[: RING_BITS + 1], inside["position"]
        held, free, room = inside["held"], inside["free"], inside["room"]
        at_start = Signal.like(free)  # room when the frame began
        m.d.sync += at_start.eq(Mux(dut.start, free, at_start))
        kept = Signal.like(frame.count)
        with m.If(dut.start):
            m.d.sync += kept.eq(0)
        with m.Elif(inside["write__en"]):
            m.d.sync += kept.eq(kept + 1)

        # The ring.
        always(m, "the ring never overflows", held <= TO_DEVICE_RING)
        always(m, "nothing is read from an empty ring", ~inside["read__en"] | (held != 0))
        reading = inside["reading"]
        always(m, "a byte on show is in the ring", ~(dut.o.valid | reading) | (held != 0))
        always(m, "no byte is read while one is on show", ~(dut.o.valid & reading))
        writing = inside["write__en"]
        behind = (inside["write__addr"] - position)[:RING_BITS]
        always(
            m,
            "unread bytes are never overwritten",
            ~writing | (held < TO_DEVICE_RING) & (behind >= held),
        )
        always(
            m,
            "the two ports never meet",
            ~(writing & inside["read__en"]) | (inside["write__addr"] != inside["read__addr"]),
        )
        took = frame.taken
        always(m, "free room is never overrated", took | (free + held <= TO_DEVICE_RING))
        always(
            m,
            "credit promises no more than there is",
            took | before(m, took) | (dut.credit * CREDIT_UNIT + held <= TO_DEVICE_RING),
        )
        moved = (dut.expected - before(m, dut.expected))[:16]
        always(
            m,
            "offsets only grow",
            (moved <= TO_DEVICE_PAYLOAD) | before(m, dut.clear) & (dut.expected == 0),
        )

        # What makes it so.
        active = frame.active
        always(
            m, "room was there when the frame began", ~active | (at_start + held <= TO_DEVICE_RING)
        )
        counted = Mux(frame.count < at_start, frame.count, at_start)
        always(m, "what is kept is what came, or fills the room", ~active | (kept == counted))
        always(m, "room is what is left of it", ~active | (room == at_start - kept))
        always(
            m, "the next byte's place", ~active | (inside["place"] == (expected + kept)[:RING_BITS])
        )
        over = frame.count - kept
        always(
            m,
            "bytes without room are counted",
            ~active | (inside["over"] == Mux(over > CRC_BYTES, CRC_BYTES + 1, over)),
        )

        lies = ~(dut.take & inside["fits"]) | (dut.length <= kept)
        always(m, "a payload that is taken was kept", lies)

        # Any one byte, followed through the ring.
        number = AnyConst(RING_BITS + 1)
        m.d.comb += stored.addr.eq(number[:RING_BITS])
        byte = Signal(8)
        here = Signal()
        unread = (number - position)[: RING_BITS + 1] < held
        m.d.comb += here.eq(unread | active & ((number - expected)[: RING_BITS + 1] < kept))
        with m.If(writing & ((expected + kept)[: RING_BITS + 1] == number)):
            m.d.sync += byte.eq(dut.data)
        always(m, "a byte stays in the ring", ~here | (stored.data == byte))
        arrives = reading & (position == number)
        always(m, "the byte that was stored is read", ~arrives | (read.data == byte))
        shown = dut.o.valid & (position == number)
        always(m, "bytes are handed over as they came", ~shown | (dut.o.payload == byte))

        stream_keeps(m, dut.o, unless=dut.clear)

        m.d.comb += Cover(held == 5, "a frame is taken")
        m.d.comb += Cover(shown & dut.o.ready & (position == 2), "bytes are handed over")
        m.d.comb += Cover(dut.dropped, "a frame is dropped")
        return m
