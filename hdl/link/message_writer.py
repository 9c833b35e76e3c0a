# SPDX-License-Identifier: MIT
"""Messages for the host, written into the ring of the sender."""

from amaranth.hdl import Elaboratable, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import (
    FLUSH_S,
    MESSAGE_HEADER,
    SHORT_PAYLOAD,
)
from glintfpga.hdl.link.stream_sender import RingWrite
from glintfpga.hdl.link_sizes import LARGE, LinkSizes

__all__ = ["MESSAGE_BYTE", "MessagePort", "MessageWriter"]

MESSAGE_BYTE = data.StructLayout({"byte": 8, "end": 1})
"""A byte of a body; ``end``: the message may be cut behind it."""

MessagePort = wiring.Signature({"op": Out(8), "body": Out(stream.Signature(MESSAGE_BYTE))})
"""Bodies of messages for the host, seen from their source.

Members
-------
op : Out(8)
    Of the message that the next byte opens.
body : Out(stream of MESSAGE_BYTE)
"""

LONGEST_UNIT = 6
"""Bytes up to the next ``end``: a two-byte token and its CRC."""
SPARE_BITS = 4
"""The last 16 bytes of the ring are not used."""
MAX_TICKS = round(FLUSH_S * 1000) + 1


class MessageWriter(wiring.Component):
    """Body bytes to whole messages.

    The length of a message is not known when it begins: its place is left free and filled in when
    the message ends, and only then the sender may see it. A message ends behind a byte marked
    ``end`` when the next unit might not fit, when no byte has come for 1 to 2 ms, or on ``close``.
    A few bytes of the ring stay unused, so that the room may be known some cycles late.

    Resetting it (with the sender) starts a new session.

    Latency: 3 cycles before a message's first byte is accepted, a byte per cycle, 2 cycles to end.

    Parameters
    ----------
    sizes : LinkSizes
        The ring, and the longest payload of a frame, into which a message fits.

    Members
    -------
    message : In(MessagePort)
    close : In(1)
        End the message, if there is one.
    is_open : Out(1)
        A message has begun and not ended.
    long : In(1)
        Frames may be long at the rate of now.
    tick_ms : In(1)
        Strobe, once per millisecond.
    ring : Out(RingWrite)
    """

    message: In(MessagePort)
    close: In(1)
    is_open: Out(1)
    long: In(1)
    tick_ms: In(1)
    ring: Out(RingWrite)

    def __init__(self, *, sizes: LinkSizes = LARGE) -> None:
        self.sizes = sizes
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        long_body = self.sizes.payload - MESSAGE_HEADER
        short_body = SHORT_PAYLOAD - MESSAGE_HEADER
        place = Signal(16)
        length = Signal(range(long_body + 1))
        cut = Signal.like(length)  # behind a longer body the next unit might not fit
        m.d.sync += cut.eq(Mux(self.long, long_body, short_body) - LONGEST_UNIT)
        ticks = Signal(range(MAX_TICKS + 1))
        whole = Signal()
        closing = Signal()
        length_place = Signal(range(self.sizes.ring))

        used = Signal(range(self.sizes.ring + 1))
        room = Signal()
        m.d.sync += [
            used.eq((place - self.ring.oldest)[: len(used)]),
            room.eq(~(used[-1] | used[SPARE_BITS:-1].all())),
        ]
        m.d.comb += self.ring.address.eq(place)
        with m.FSM():
            with m.State("CLOSED"):
                # Nothing to send: a byte opens a message; write its op.
                m.d.comb += [
                    self.ring.data.eq(self.message.op),
                    self.ring.valid.eq(self.message.body.valid & room),
                ]
                m.d.sync += [length.eq(0), ticks.eq(0), whole.eq(0)]
                with m.If(self.ring.valid):
                    m.next = "SKIP_LOW"
            with m.State("SKIP_LOW"):
                # Leave both bytes of the length for later.
                m.d.comb += [self.is_open.eq(1), self.ring.valid.eq(1)]
                m.d.sync += length_place.eq(place)
                m.next = "SKIP_HIGH"
            with m.State("SKIP_HIGH"):
                m.d.comb += [self.is_open.eq(1), self.ring.valid.eq(1)]
                m.next = "BODY"
            with m.State("BODY"):
                # Take bytes until a reason to end the message comes up.
                m.d.comb += [
                    self.is_open.eq(1),
                    self.message.body.ready.eq(room),
                    self.ring.data.eq(self.message.body.payload.byte),
                    self.ring.valid.eq(self.message.body.valid & room),
                ]
                with m.If(self.ring.valid):
                    m.d.sync += [
                        length.eq(length + 1),
                        ticks.eq(0),
                        whole.eq(self.message.body.payload.end),
                    ]
                    with m.If(self.message.body.payload.end & (length >= cut)):
                        m.next = "LENGTH_LOW"
                with m.Elif(self.close | (whole & (ticks == MAX_TICKS))):
                    m.next = "LENGTH_LOW"
                with m.Elif(self.tick_ms & (ticks != MAX_TICKS)):
                    m.d.sync += ticks.eq(ticks + 1)
            with m.State("LENGTH_LOW"):
                # Fill in the length.
                m.d.comb += [
                    self.is_open.eq(1),
                    closing.eq(1),
                    self.ring.address.eq(length_place),
                    self.ring.data.eq(length[:8]),
                    self.ring.valid.eq(1),
                ]
                m.d.sync += length_place.eq(length_place + 1)
                m.next = "LENGTH_HIGH"
            with m.State("LENGTH_HIGH"):
                # Hand the message to the sender.
                m.d.comb += [
                    self.is_open.eq(1),
                    closing.eq(1),
                    self.ring.address.eq(length_place),
                    self.ring.data.eq(length[8:]),
                    self.ring.valid.eq(1),
                ]
                m.d.sync += self.ring.committed.eq(place)
                m.next = "CLOSED"
        with m.If(self.ring.valid & ~closing):
            m.d.sync += place.eq(place + 1)
        return m
