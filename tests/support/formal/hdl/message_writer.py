# SPDX-License-Identifier: MIT
"""Messages for the host stay within the ring and never wait for an ack that cannot come."""

from typing import Any

from amaranth.hdl import Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.protocol import MAX_MESSAGE_BODY, MESSAGE_HEADER, RING
from glintfpga.hdl.link.message_writer import CUT, LONGEST_UNIT, SPARE_BITS, MessageWriter
from support.formal.environment import Inside, always, assume, before, leave_free

LONGEST_BLOCK = 128
"""More than COUNTED and DONE have, which come without an ``end``."""
SPARE = 1 << SPARE_BITS

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

        always(m, "the ring never overflows", kept <= RING)
        always(m, "what is committed lies in it", waiting <= kept)
        behind = (dut.ring.address - dut.ring.oldest)[:11]
        fits = (kept < RING) & (behind >= waiting) & (behind <= kept)
        always(m, "only bytes that are not committed are written", ~dut.ring.valid | fits)
        grown = (dut.ring.committed - before(m, dut.ring.committed))[:16]
        always(m, "messages end whole", grown <= MESSAGE_HEADER + MAX_MESSAGE_BODY)
        always(m, "a body has at most 189 bytes", length <= MAX_MESSAGE_BODY)
        body = inside.state("BODY")
        stuck = body & ~dut.message.body.ready & ~before(m, before(m, waiting != 0, init=1), init=1)
        always(m, "it waits for room only while bytes can be acked", ~stuck)

        # What makes it so.
        closed, skip = inside.state("CLOSED"), inside.state("SKIP")
        high, last = inside.state("HIGH"), inside.state("LENGTH")
        header = ((place - dut.ring.committed)[:16] == length + MESSAGE_HEADER) & (
            inside["length_place"] == (dut.ring.committed + 1)[:11]
        )
        always(m, "closed: all is committed", ~closed | (place == dut.ring.committed))
        always(
            m,
            "one byte of header",
            ~skip | (place == (dut.ring.committed + 1)[:16]) & (length == 0),
        )
        two = (place == (dut.ring.committed + 2)[:16]) & (length == 0)
        low = inside["length_place"] == (dut.ring.committed + 1)[:11]
        always(m, "two bytes of header", ~high | two & low)
        always(m, "a body behind its header", ~(body | last) | header)
        always(m, "no unit is longer than six", unit < LONGEST_UNIT)
        always(m, "a body ends in time", ~body | (length < CUT + unit))
        past = before(m, kept)
        always(m, "the use of the ring is known one cycle late", used == past[:12])
        past_used = before(m, used, init=RING)
        full = past_used >= RING - SPARE
        always(m, "and its room two", inside["room"] == ~full)
        slow = (kept <= past + 1) & (used <= past_used + 1)
        always(m, "one byte per cycle", slow)
        most = RING - SPARE + Mux(skip, 2, Mux(high, 3, 4))
        always(m, "the spare bytes suffice", kept <= most)

        m.d.comb += Cover(before(m, last) & (length == 2), "a message")
        m.d.comb += Cover((used > 0) & dut.message.body.ready & (waiting == 0), "acked")
        return m
