# SPDX-License-Identifier: MIT
"""The status of the device on a row of LEDs.

idle      one LED breathes, about once in three seconds
busy      a light runs along the row, one step in 1/16 s
error     all blink together, twice per second: there is no model
failed    even and odd ones in turn, twice per second: the model failed the self-test
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StatusLeds"]

_TICK_HZ = 4096
_HOLD = 1 << 8  # ticks that one pulse of `busy` stays visible: 1/16 s


class StatusLeds(wiring.Component):
    """LED patterns from three status bits.

    Parameters
    ----------
    clk_hz : int
        Clock of ``sync``.
    count : int
        LEDs in the row.

    Members
    -------
    busy, error, failed : In(1)
        A pulse of ``busy`` shows for 1/16 s. ``error`` has priority over ``busy``, ``failed`` over
        both; they show while they are 1.
    led : Out(count)
        1 is lit.
    """

    def __init__(self, *, clk_hz: int, count: int):
        if clk_hz < 2 * _TICK_HZ:
            raise ValueError(f"clk_hz must be at least {2 * _TICK_HZ}, not {clk_hz!r}")
        self.clk_hz = clk_hz
        self.count = count
        super().__init__({"busy": In(1), "error": In(1), "failed": In(1), "led": Out(count)})

    def elaborate(self, platform):
        m = Module()

        cycles = self.clk_hz // _TICK_HZ
        prescaler = Signal(range(cycles))
        tick = Signal()
        time = Signal(14)
        m.d.comb += tick.eq(prescaler == cycles - 1)
        m.d.sync += prescaler.eq(Mux(tick, 0, prescaler + 1))
        m.d.sync += time.eq(time + tick)

        hold = Signal(range(_HOLD + 1))
        with m.If(self.busy):
            m.d.sync += hold.eq(_HOLD)
        with m.Elif(tick & hold.any()):
            m.d.sync += hold.eq(hold - 1)

        runner = Signal(self.count, init=1)
        with m.If(tick & time[:8].all()):
            m.d.sync += runner.eq(runner.rotate_left(1))

        # The upper bits rise and fall, the lower ones are the phase of a 256 Hz pulse width.
        level = Signal(4)
        breath = Signal()
        m.d.comb += level.eq(time[9:13] ^ time[13].replicate(4))
        m.d.comb += breath.eq(time[:4] < level)

        with m.If(self.failed):
            even = Cat(number % 2 == 0 for number in range(self.count))
            m.d.comb += self.led.eq(even ^ time[10].replicate(self.count))
        with m.Elif(self.error):
            m.d.comb += self.led.eq(time[10].replicate(self.count))
        with m.Elif(hold.any()):
            m.d.comb += self.led.eq(runner)
        with m.Else():
            m.d.comb += self.led.eq(Cat(breath))
        return m
