# SPDX-License-Identifier: MIT
"""Sending end of a numbered byte stream: a ring in block RAM, acks and rewinds."""

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import (
    CREDIT_UNIT,
    DEVICE_RETRIES,
    MAX_PAYLOAD,
    RETRY_S,
    SHORT_PAYLOAD,
    TO_HOST_RING,
)
from glintfpga.hdl.link_sizes import LARGE, LinkSizes
from glintfpga.hdl.primitives.memory import ReadPort, WritePort, byte_ram, outside_reset

__all__ = ["RingWrite", "StreamSender"]

RingWrite = wiring.Signature(
    {
        "valid": Out(1),
        "address": Out(range(TO_HOST_RING)),
        "data": Out(8),
        "committed": Out(16),
        "oldest": In(16),
    }
)
"""Port through which bytes for the host enter the sender's ring, seen from the writer.

Members
-------
valid, address, data : Out
    Store a byte; only at ``committed .. oldest + ring - 1``, by the ring of the `LinkSizes`.
committed : Out(16)
    Offset behind the last byte that may be sent. Goes back only with a new session.
oldest : In(16)
    Offset of the oldest byte kept.
"""

CREDIT_SHIFT = CREDIT_UNIT.bit_length() - 1
RETRY_TICKS = round(RETRY_S * 1000) + 1


class StreamSender(wiring.Component):
    """Bytes kept until they are acked, with the rules of `glintfpga.firmware.wire.protocol`.

    ::

        oldest          oldest + flight      oldest + window    committed
          | sent, not acked | `sendable` bytes .. |                  |

    Another component writes the ring behind ``committed`` and reads frames out of it. The sums are
    spread over some cycles: after anything that moves a limit down, ``sendable`` stays 0 until
    they are right again.

    Parameters
    ----------
    sizes : LinkSizes
        The ring, and the longest payload.

    Members
    -------
    write : In(RingWrite)
    long : In(1)
        Frames may be long at the rate of now.
    sendable : Out(range)
        Payload of the next frame, up to that of ``sizes`` or 192; it starts at ``offset``.
    offset : Out(16)
    take : In(1)
        Strobe: the next frame is being sent. Allowed while ``settled``.
    settled : Out(1)
    read : In(ReadPort)
        For frames; only for bytes that are kept and committed.
    flight : Out(14)
        Bytes sent and not acked. When it falls below the length of the frame that is being read,
        the frame was acked or rewound meanwhile, and its bytes may be overwritten.
    ack_valid, ack, credit, empty : In
        Strobe with the fields of a valid DATA frame; ``empty``: it had no payload.
    frame_received : In(1)
        Strobe: any valid frame.
    sending : In(1)
        A frame with payload is on its way to the wire: the timer starts when it has left.
    tick_ms : In(1)
        Strobe, once per millisecond.
    retry : Out(1)
        Strobe: a rewind.
    clear : In(1)
        Strobe: forget everything, offset 0.
    """

    write: In(RingWrite)
    long: In(1)
    sendable: Out(range(MAX_PAYLOAD + 1))
    offset: Out(16)
    take: In(1)
    settled: Out(1)
    read: In(ReadPort(TO_HOST_RING))
    flight: Out(range(TO_HOST_RING + 1))
    ack_valid: In(1)
    ack: In(16)
    credit: In(8)
    empty: In(1)
    frame_received: In(1)
    sending: In(1)
    tick_ms: In(1)
    retry: Out(1)
    clear: In(1)

    def __init__(self, *, sizes: LinkSizes = LARGE) -> None:
        self.sizes = sizes
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        write = WritePort(self.sizes.ring).create(path=("ring_write",))
        read = ReadPort(self.sizes.ring).create(path=("ring_read",))
        m.d.comb += [
            write.enable.eq(outside_reset(self.write.valid)),
            write.address.eq(self.write.address),
            write.data.eq(self.write.data),
            read.enable.eq(self.read.enable),
            read.address.eq(self.read.address),
            self.read.data.eq(read.data),
        ]
        byte_ram(m, "ring", self.sizes.ring, write=write, read=read)

        # An ack passes two stages: how far it steps, and whether bytes that far are kept.
        held = Signal(range(TO_HOST_RING + 1))
        step = Signal(16)
        stages = Signal(2)
        known = Signal()
        window = Signal(range(TO_HOST_RING + 1), init=TO_HOST_RING)
        m.d.sync += [
            held.eq((self.write.committed - self.write.oldest)[: len(held)]),
            step.eq(self.ack - self.write.oldest),
            known.eq(step <= held),
            stages.eq(Cat(self.ack_valid, stages)),
        ]
        apply = Signal()
        remaining = Signal(range(-TO_HOST_RING, TO_HOST_RING + 1))
        m.d.comb += [apply.eq(stages[1] & known), remaining.eq(self.flight - step)]

        # Where the next frame starts and how long it is, three stages behind the registers.
        limit = Signal(range(TO_HOST_RING + 1))
        rest = Signal(range(-TO_HOST_RING, TO_HOST_RING + 1))
        quiet = Signal(3)
        moved = Signal()
        m.d.comb += moved.eq(self.ack_valid | stages.any() | self.take | self.retry | self.clear)
        m.d.sync += [
            self.offset.eq(self.write.oldest + self.flight),
            limit.eq(Mux(held < window, held, window)),
            rest.eq(limit - self.flight),
            quiet.eq(Mux(moved, 0, Cat(1, quiet))),
        ]
        m.d.comb += self.settled.eq(quiet.all() & ~stages.any())
        # Behind a rewind frames are short: of a line that damages a byte in 100, no long one comes.
        careful = Signal()
        payload = Signal(range(MAX_PAYLOAD + 1))
        m.d.sync += payload.eq(Mux(self.long & ~careful, self.sizes.payload, SHORT_PAYLOAD))
        with m.If(self.settled & (rest > 0)):
            m.d.comb += self.sendable.eq(Mux(rest > payload, payload, rest))

        waited = Signal(range(RETRY_TICKS + 1))
        tries = Signal(range(DEVICE_RETRIES + 1))
        may_repeat = Signal(init=1)
        with m.If((self.flight == 0) | self.sending):
            m.d.sync += waited.eq(0)
        with m.Elif(self.tick_ms & (waited != RETRY_TICKS)):
            m.d.sync += waited.eq(waited + 1)

        late = Signal()
        m.d.comb += late.eq((waited == RETRY_TICKS) & (tries != DEVICE_RETRIES))
        with m.If(apply):
            m.d.sync += window.eq(self.credit << CREDIT_SHIFT)
            m.d.sync += [
                self.write.oldest.eq(self.write.oldest + step),
                self.flight.eq(Mux(remaining < 0, 0, remaining)),
            ]
            with m.If(step != 0):
                m.d.sync += [waited.eq(0), may_repeat.eq(1), careful.eq(0)]
            with m.Elif(self.empty & may_repeat & (self.flight != 0)):
                m.d.comb += self.retry.eq(1)
                m.d.sync += may_repeat.eq(0)
        with m.Elif(self.take):
            m.d.sync += self.flight.eq(self.flight + self.sendable)
        with m.Elif(late & (self.flight != 0)):
            m.d.comb += self.retry.eq(1)
            m.d.sync += [may_repeat.eq(1), tries.eq(tries + 1)]
        with m.If(self.retry):
            m.d.sync += [self.flight.eq(0), waited.eq(0), careful.eq(1)]
        with m.If(self.frame_received):
            m.d.sync += tries.eq(0)
        with m.If(self.clear):
            m.d.sync += [
                self.write.oldest.eq(0),
                self.flight.eq(0),
                window.eq(TO_HOST_RING),
                stages.eq(0),
                tries.eq(0),
                may_repeat.eq(1),
                careful.eq(0),
            ]
        return m
