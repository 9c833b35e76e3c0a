# SPDX-License-Identifier: MIT
"""A frame once begun ends, is never too long, and is read only while its bytes are kept."""

from typing import Any

from amaranth.hdl import Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.wire.protocol import DATA_HEADER, HELLO_HEADER, MAX_PAYLOAD
from glintfpga.hdl.hello_layout import MAX_INFO
from glintfpga.hdl.link.frame_writer import FrameWriter
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps

__all__ = ["FrameWriterProperties"]


class FrameWriterProperties(Elaboratable):
    """For any requests, and a transmitter that may wait.

    Assumed: ``sendable`` is at most 2,000 (`StreamSenderProperties`) and ``info_length`` 256, the
    nonce changes only with a reset of the component, and the memories keep what they read.
    """

    def __init__(self, writer: FrameWriter) -> None:
        self.writer = writer

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.writer
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        assume(m, dut.sendable <= MAX_PAYLOAD)
        assume(m, dut.info_length <= MAX_INFO)
        assume(m, dut.nonce == before(m, dut.nonce))
        # The read ports keep their data until the next read.
        for enable, data in ((dut.ring.enable, dut.ring.data), (dut.info.enable, dut.info.data)):
            assume(m, before(m, enable) | (data == before(m, data)))
        at, left, is_hello = inside["at"], inside["left"], inside["is_hello"]
        idle, header, fetch, latch, byte = (
            inside.state(name) for name in ("IDLE", "HEADER", "FETCH", "LATCH", "BYTE")
        )
        more = byte & inside["in_header"]  # of the header follows
        size = Mux(is_hello, HELLO_HEADER, DATA_HEADER)
        steps = Mux(header, 2 * (size - at), Mux(more, 2 * (size - at) - 1, byte))
        work = Mux(idle, 0, Mux(latch, 3 * left - 1, 3 * left + steps))
        past = before(m, work)
        served = before(m, ~idle & (dut.o.ready | ~byte))
        always(m, "a transmitter that takes bytes sees the end", ~served | (work < past))
        always(m, "and work is bounded", work <= 3 * MAX_PAYLOAD + 2 * DATA_HEADER)
        always(m, "the header has its length", ~header | (at < size))
        always(m, "and goes on before its last byte only", ~more | (at + 1 < size))
        reads = fetch | latch
        always(m, "what is read is of the payload", ~reads | (left != 0) & ~inside["in_header"])
        always(m, "a frame at rest has no work", (work == 0) == idle)
        always(m, "payloads are of data or info", left <= Mux(is_hello, MAX_INFO, MAX_PAYLOAD))
        stream_keeps(m, dut.o)

        asked = Signal(range(MAX_PAYLOAD + 1))  # bytes behind the header
        with m.If(dut.hello_accepted | dut.data_accepted):
            m.d.sync += asked.eq(Mux(dut.hello_accepted, dut.info_length, dut.sendable))
        sent = Signal(range(DATA_HEADER + MAX_PAYLOAD + 1))
        taken = dut.o.valid & dut.o.ready
        m.d.sync += sent.eq(Mux(dut.hello_accepted | dut.data_accepted, 0, sent + taken))
        rest = Mux(header | more, size - at, byte) + Mux(idle, 0, left)
        always(m, "a body has all bytes that were asked for", idle | (sent + rest == size + asked))
        always(m, "and at most 2,008", idle | (size + asked <= DATA_HEADER + MAX_PAYLOAD))
        within = inside["address"] + left == asked
        always(m, "info is read from its start to its length", idle | ~is_hello | within)
        last = taken & dut.o.payload.last
        always(
            m,
            "the last byte, and only that, ends it",
            before(m, last | dut.abort) == (idle & ~before(m, idle, init=1)),
        )
        always(
            m, "the ring is read only for bytes in flight", ~dut.ring.enable | (left <= dut.flight)
        )
        always(m, "data is sent only while settled", ~dut.data_accepted | dut.settled)
        always(m, "HELLO goes first", ~(dut.data_accepted & dut.hello))

        m.d.comb += Cover(dut.abort, "a frame is given up")
        m.d.comb += Cover(last & ~is_hello & (sent == 9), "a frame with two bytes")
        return m
