# SPDX-License-Identifier: MIT
"""Messages for the host stay within the ring and never wait for an ack that cannot come."""

from typing import Any

from amaranth.hdl import Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.protocol import MESSAGE_HEADER, SHORT_PAYLOAD
from glintfpga.hdl.link.message_writer import LONGEST_UNIT, SPARE_BITS, MessageWriter
from support.formal.environment import Inside, always, assume, before, leave_free

LONGEST_BLOCK = 128
"""More than COUNTED and DONE have, which come without an ``end``."""
SPARE = 1 << SPARE_BITS
SHORT_BODY = SHORT_PAYLOAD - MESSAGE_HEADER

__all__ = ["MessageWriterProperties"]


class MessageWriterProperties(Elaboratable):
    """For any bytes with an ``end`` among every six behind the first 128, and acks at any time.

    Assumed: ``oldest`` passes only committed bytes (`StreamSenderProperties`). A new session is a
    power-up, because ``Service`` resets the component then.
    """

    def __init__(self, writer: MessageWriter) -> None:
        self.writer = writer

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.writer
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        ring = dut.sizes.ring
        ring_bits = ring.bit_length() - 1
        long_body = dut.sizes.payload - MESSAGE_HEADER
        place, length, used = inside["place"], inside["length"], inside["used"]
        kept, waiting = Signal(16), Signal(16)  # all bytes in the ring, and those committed
        m.d.comb += [
            kept.eq(place - dut.ring.oldest),
            waiting.eq(dut.ring.committed - dut.ring.oldest),
        ]
        was = before(m, dut.ring.oldest)
        assume(m, (dut.ring.oldest - was)[:16] <= (before(m, dut.ring.committed) - was)[:16])
        taken = dut.message.body.valid & dut.message.body.ready
        unit = Signal(range(LONGEST_UNIT + 1))  # bytes since the last end
        more = (unit < LONGEST_UNIT - 1) | (length < LONGEST_BLOCK)
        assume(m, ~taken | dut.message.body.payload.end | more)
        with m.If(~dut.is_open):
            m.d.sync += unit.eq(0)
        with m.Elif(taken):
            m.d.sync += unit.eq(Mux(unit < LONGEST_UNIT - 1, unit + 1, unit))
            with m.If(dut.message.body.payload.end):
                m.d.sync += unit.eq(0)

        always(m, "the ring never overflows", kept <= ring)
        always(m, "what is committed lies in it", waiting <= kept)
        behind = (dut.ring.address - dut.ring.oldest)[:ring_bits]
        fits = (kept < ring) & (behind >= waiting) & (behind <= kept)
        always(m, "only bytes that are not committed are written", ~dut.ring.valid | fits)
        grown = (dut.ring.committed - before(m, dut.ring.committed))[:16]
        always(m, "messages end whole", grown <= MESSAGE_HEADER + long_body)
        always(m, "a message fits a frame", length <= long_body)
        was_long = Signal()  # at some time since the message began
        with m.If(inside.state("CLOSED")):
            m.d.sync += was_long.eq(dut.long)
        with m.Else():
            m.d.sync += was_long.eq(was_long | dut.long)
        always(m, "a short one where none may be long", was_long | (length <= SHORT_BODY))
        body = inside.state("BODY")
        now_short = ~before(m, dut.long) & (length >= SHORT_BODY - LONGEST_UNIT)
        ends = taken & dut.message.body.payload.end
        low, high = inside.state("LENGTH_LOW"), inside.state("LENGTH_HIGH")
        over = before(m, body & ends & now_short)
        always(m, "when none may be long any more, it ends with its unit", ~over | low)
        stuck = body & ~dut.message.body.ready & ~before(m, before(m, waiting != 0, init=1), init=1)
        always(m, "it waits for room only while bytes can be acked", ~stuck)

        # What makes it so.
        closed = inside.state("CLOSED")
        skip_low, skip_high = inside.state("SKIP_LOW"), inside.state("SKIP_HIGH")
        length_place = inside["length_place"]
        behind = (place - dut.ring.committed)[:16]
        at = (length_place - dut.ring.committed)[:ring_bits]
        always(m, "closed: all is committed", ~closed | (behind == 0))
        always(m, "one byte of header", ~skip_low | (behind == 1) & (length == 0))
        always(m, "two bytes of header", ~skip_high | (behind == 2) & (length == 0) & (at == 1))
        ended = low | high
        header = behind == length + MESSAGE_HEADER
        always(m, "a body behind its header", ~(body | ended) | header)
        always(m, "its length is to be at the second", ~(body | low) | (at == 1))
        always(m, "and at the third", ~high | (at == 2))
        address = (dut.ring.address - dut.ring.committed)[:ring_bits]
        for state, where, value in ((low, 1, length[:8]), (high, 2, length[8:])):
            written = dut.ring.valid & (address == where) & (dut.ring.data == value)
            always(m, f"byte {where} of the header tells it", ~state | written)
        always(m, "no unit is longer than six", unit < LONGEST_UNIT)
        cut = inside["cut"] + 1
        short_cut, long_cut = SHORT_BODY - LONGEST_UNIT + 1, long_body - LONGEST_UNIT + 1
        always(m, "a body ends in time", ~body | (length < long_cut + unit))
        always(m, "a short one too", ~body | was_long | (length < short_cut + unit))
        known = cut == Mux(before(m, dut.long), long_cut, short_cut)
        always(m, "where it ends follows the rate", known | closed)
        may_be_long = ~before(m, dut.long) | was_long
        always(m, "the rate is remembered", may_be_long)
        past = before(m, kept)
        always(m, "the use of the ring is known one cycle late", used == past[: ring_bits + 1])
        past_used = before(m, used, init=ring)
        full = past_used >= ring - SPARE
        always(m, "and its room two", inside["room"] == ~full)
        slow = (kept <= past + 1) & (used <= past_used + 1)
        always(m, "one byte per cycle", slow)
        most = ring - SPARE + Mux(skip_low, 2, Mux(skip_high, 3, 4))
        always(m, "the spare bytes suffice", kept <= most)

        m.d.comb += Cover(before(m, high) & (length == 2), "a message")
        m.d.comb += Cover((used > 0) & dut.message.body.ready & (waiting == 0), "acked")
        return m
