# SPDX-License-Identifier: MIT
"""Serial line, 8N1, with a phase-accumulator divider.

A bit lasts ``2**PHASE_BITS / step`` cycles with ``step = round(2**PHASE_BITS * baud / clk_hz)``, so
one adder makes every rate of `BAUDS` from any clock; the rate is off by at most 0.05 %.
"""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Elaboratable, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import BAUDS

__all__ = ["PHASE_BITS", "LineByte", "UARTReceiver", "UARTTransmitter", "baud_steps"]

LineByte = wiring.Signature({"valid": Out(1), "data": Out(8), "error": Out(1)})
"""A byte from the line, seen from the receiver; it cannot be refused.

Members
-------
valid : Out(1)
    Strobe: ``data`` is a byte, or ``error`` is set. At least 4 cycles apart.
data : Out(8)
error : Out(1)
    With ``valid``: the stop bit was low.
"""

PHASE_BITS = 20
MIN_CLOCKS_PER_BIT = 8


def baud_steps(clk_hz: int, bauds: Sequence[int] = BAUDS) -> list[int]:
    """Phase steps per cycle, one for each baud rate.

    Raises ``ValueError`` when the clock has fewer than 8 cycles per bit, or is so fast that a step
    would be off by more than half a percent.
    """
    steps = [round((1 << PHASE_BITS) * baud / clk_hz) for baud in bauds]
    for baud, step in zip(bauds, steps, strict=True):
        if clk_hz < MIN_CLOCKS_PER_BIT * baud:
            raise ValueError(f"clk_hz must be at least 8 times {baud!r} baud, not {clk_hz!r}")
        if abs(step * clk_hz / (1 << PHASE_BITS) / baud - 1) > 0.005:
            raise ValueError(f"clk_hz must allow {baud!r} baud within 0.5 %, not {clk_hz!r}")
    return steps


class UARTReceiver(wiring.Component):
    """Line to bytes.

    The falling edge of a start bit sets the phase to one half (and two cycles, the delay of the
    edge), so that each carry of the accumulator is the middle of a bit. A start bit that is high
    again in its middle is a glitch and is ignored. The receiver looks for the next start bit from
    the middle of the stop bit on, which leaves half a bit for a sender whose clock is fast.

    Latency: 3 cycles from the middle of the stop bit on ``rx`` to ``o.valid``.

    Parameters
    ----------
    clk_hz : int
        Clock of the domain ``sync``.
    bauds : sequence of int
        The rates; ``baud`` is an index into it.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    baud : In(range)
        Rate index; may change at any time, a byte under way is then damaged.
    o : Out(LineByte)
    """

    def __init__(self, *, clk_hz: int, bauds: Sequence[int] = BAUDS):
        self.clk_hz = clk_hz
        self.bauds = tuple(bauds)
        self._steps = baud_steps(clk_hz, bauds)
        super().__init__(
            {
                "rx": In(1, init=1),
                "baud": In(range(len(self.bauds))),
                "o": Out(LineByte),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        synced = Signal(2, init=0b11)
        m.d.sync += synced.eq(Cat(self.rx, synced[0]))
        line = synced[1]

        step = Signal(PHASE_BITS)
        m.d.sync += step.eq(Array(self._steps)[self.baud])
        phase = Signal(PHASE_BITS)
        tick = Signal()
        m.d.sync += Cat(phase, tick).eq(phase + step)
        left = Signal(range(10))
        m.d.sync += self.o.valid.eq(0)

        # A step is at most an eighth of a turn, so that "or" adds.
        start = (1 << (PHASE_BITS - 1)) | (step[:-2] << 1)
        with m.FSM():
            with m.State("IDLE"):
                # The line is high: wait for a falling edge.
                m.d.sync += [Cat(phase, tick).eq(start), left.eq(9)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"):
                # Sample start bit, data bits (lowest first) and stop bit in their middles.
                with m.If(tick):
                    m.d.sync += [left.eq(left - 1), self.o.data.eq(Cat(self.o.data[1:], line))]
                    with m.If((left == 9) & line):
                        m.next = "IDLE"
                    with m.If(left == 0):
                        m.d.sync += [
                            self.o.data.eq(self.o.data),
                            self.o.valid.eq(1),
                            self.o.error.eq(~line),
                        ]
                        m.next = "IDLE"
                        with m.If(~line):
                            m.next = "RELEASE"
            with m.State("RELEASE"):
                # A low stop bit is not the next start bit: wait until the line is high.
                with m.If(line):
                    m.next = "IDLE"
        return m


class UARTTransmitter(wiring.Component):
    """Bytes to line, without a gap between waiting bytes.

    The phase runs freely; a byte starts at the next carry, at most one bit time after it is valid.

    Parameters
    ----------
    clk_hz : int
        Clock of the domain ``sync``.
    bauds : sequence of int
        The rates; ``baud`` is an index into it.

    Members
    -------
    i : In(stream of 8)
        Bytes to send.
    tx : Out(1)
        The line.
    baud : In(range)
        Rate index; change it only while ``idle``.
    idle : Out(1)
        The line is idle after a complete stop bit.
    """

    def __init__(self, *, clk_hz: int, bauds: Sequence[int] = BAUDS):
        self.clk_hz = clk_hz
        self.bauds = tuple(bauds)
        self._steps = baud_steps(clk_hz, bauds)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "tx": Out(1, init=1),
                "baud": In(range(len(self.bauds))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        step = Signal(PHASE_BITS)
        m.d.sync += step.eq(Array(self._steps)[self.baud])
        phase = Signal(PHASE_BITS)
        tick = Signal()
        m.d.sync += Cat(phase, tick).eq(phase + step)

        # The bits still to come above the one on the line, closed by a marker so that no counter
        # is needed: 1 means the stop bit is on the line or over.
        bits = Signal(10, init=1)
        done = Signal()
        m.d.comb += [done.eq(bits == 1), self.i.ready.eq(tick & done)]
        with m.If(tick):
            with m.If(~done):
                m.d.sync += [self.tx.eq(bits[0]), bits.eq(bits >> 1), self.idle.eq(0)]
            with m.Elif(self.i.valid):
                m.d.sync += [self.tx.eq(0), bits.eq(Cat(self.i.payload, Const(0b11, 2)))]
                m.d.sync += self.idle.eq(0)
            with m.Else():
                m.d.sync += self.idle.eq(1)
        return m
