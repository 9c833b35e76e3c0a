# SPDX-License-Identifier: MIT
"""The serial line: bytes come apart, and what is begun is ended."""

from typing import Any

from amaranth.hdl import Cat, Cover, Elaboratable, Module, Mux, Signal

from glintfpga.hdl.link.uart import UARTReceiver, UARTTransmitter
from support.formal.environment import Inside, always, before, leave_free

__all__ = ["UARTReceiverProperties", "UARTTransmitterProperties"]


class UARTReceiverProperties(Elaboratable):
    """For any signal on the line and any changes of the rate."""

    def __init__(self, receiver: UARTReceiver) -> None:
        self.receiver = receiver

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.receiver
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        idle, bits, release = (inside.state(name) for name in ("IDLE", "BITS", "RELEASE"))
        left, tick = inside["left"], inside["tick"]
        since = Signal(range(5), init=4)  # cycles since the last byte
        m.d.sync += since.eq(Mux(dut.o.valid, 1, Mux(since == 4, 4, since + 1)))
        always(m, "bytes are at least four cycles apart", ~dut.o.valid | (since == 4))
        always(m, "a byte has ten bits", ~bits | (left <= 9))
        work = Mux(bits, left + 1, 0)
        past = before(m, work)
        ticked = before(m, bits & tick)
        always(m, "each bit time brings it on", ~ticked | (work < past))
        always(m, "between ticks it waits", before(m, ~bits | tick, init=1) | (work == past))
        always(m, "a low stop bit waits for the line", ~before(m, release) | release | idle)

        # What makes it so.
        always(m, "bits take time", ~bits | (since == 4) | (left + since >= 10))
        always(m, "the time is counted to four", since <= 4)
        always(m, "a byte is over when it comes out", ~(dut.o.valid & bits))
        m.d.comb += Cover(bits & (left == 8), "a start bit is seen")
        return m


class UARTTransmitterProperties(Elaboratable):
    """For any bytes and any changes of the rate."""

    def __init__(self, transmitter: UARTTransmitter) -> None:
        self.transmitter = transmitter

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.transmitter
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        bits, tick = inside["bits"], inside["tick"]
        always(m, "a marker ends every byte", bits != 0)
        past = before(m, bits)
        worked = before(m, tick & (bits != 1))
        always(m, "each bit time sends one bit", ~worked | (bits == past >> 1))
        always(m, "a byte is taken only behind the last one", ~dut.i.ready | (bits == 1))
        always(m, "a line at rest is high", ~dut.idle | (dut.tx & (bits == 1)))
        stops = Cat((bits >> shift) == 0b11 for shift in range(9)).any()
        always(m, "a stop bit stands before the marker", (bits == 1) | stops)
        always(m, "so is one with nothing to send", (bits != 1) | dut.tx)
        m.d.comb += Cover(before(m, dut.i.valid & dut.i.ready), "a byte is taken")
        return m
