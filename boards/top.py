# SPDX-License-Identifier: MIT
"""The device on a board: pins, clock, reset and lights around it."""

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib import io, wiring

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.pll import ClockGenerator
from glintfpga.boards.lights import StatusLeds

__all__ = ["BoardTop"]

_LEDS = 6


class BoardTop(Elaboratable):
    """Top level of a bitstream.

    No button resets it: a reset would clear the registers but leave a loaded image in block RAM.
    Load the bitstream again instead. `boards.lights` shows the status of the device.

    Parameters
    ----------
    device : Component
        Ports: ``rx`` In(1), ``tx`` Out(1) and ``status`` with bits ``busy``, ``error``, ``failed``.
    board : Board
    clock_mhz : float
        Clock of the device, one of the board's.
    """

    def __init__(self, *, device: wiring.Component, board: Board, clock_mhz: float):
        self.device = device
        self.board = board
        self.clock_mhz = board.check_clock(clock_mhz)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        clk_hz = round(self.clock_mhz * 1e6)

        def buffer(direction, name, number=0):
            port = platform.request(name, number, dir="-")
            return io.Buffer(direction, port)

        m.submodules.oscillator = oscillator = buffer("i", platform.default_clk)
        m.submodules.clocks = ClockGenerator(
            oscillator=oscillator.i,
            input_hz=self.board.clock_hz,
            output_hz=clk_hz,
            device=self.board.chip_database,
        )

        m.submodules.device = self.device
        uart = platform.request("uart", 0, dir={"rx": "-", "tx": "-"})
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [self.device.rx.eq(rx.i), tx.o.eq(self.device.tx)]

        m.submodules.lights = lights = StatusLeds(clk_hz=clk_hz, count=_LEDS)
        m.d.comb += lights.busy.eq(self.device.status.busy)
        m.d.comb += lights.error.eq(self.device.status.error)
        m.d.comb += lights.failed.eq(self.device.status.failed)
        for number in range(_LEDS):
            led = buffer("o", "led", number)
            m.submodules[f"led{number}"] = led
            m.d.comb += led.o.eq(lights.led[number])
        return m
