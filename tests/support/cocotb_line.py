# SPDX-License-Identifier: MIT
"""A serial line and a host in cocotb, on the pins ``rx`` and ``tx`` of the device under test."""

from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from glintfpga.firmware.wire.session import Reply, Session

__all__ = ["CocotbHost", "CocotbLine"]

TURN_US = 20
PATIENCE_S = 0.02


class CocotbLine:
    """8N1 both ways. Parameters: the device, its clock in Hz, the baud rate.

    Members: ``received``, the bytes since they were last taken.
    """

    def __init__(self, dut: Any, *, clk_hz: float, baud: float):
        self.dut = dut
        self.received = bytearray()
        self._bit_ps = round(1e12 / baud)
        self._outgoing: Queue[int] = Queue()
        self._clock = Clock(dut.clk, round(1e12 / clk_hz / 2) * 2, unit="ps")

    async def start(self) -> None:
        """Power up: start the clock and hold the reset for two cycles."""
        self.dut.rx.value = 1
        self.dut.rst.value = 1
        self._clock.start()
        for _ in range(2):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self._send())
        cocotb.start_soon(self._receive())

    def send(self, data: bytes) -> None:
        """Queue bytes for the device."""
        for byte in data:
            self._outgoing.put_nowait(byte)

    async def _send(self) -> None:
        while True:
            frame = await self._outgoing.get() << 1 | 1 << 9
            for bit in range(10):
                self.dut.rx.value = frame >> bit & 1
                await Timer(self._bit_ps, unit="ps")

    async def _receive(self) -> None:
        while True:
            await FallingEdge(self.dut.tx)
            await Timer(self._bit_ps // 2, unit="ps")
            byte = 0
            for bit in range(9):
                await Timer(self._bit_ps, unit="ps")
                byte |= int(self.dut.tx.value) << bit
            assert byte >> 8, "the stop bit is low"
            self.received.append(byte & 255)


class CocotbHost:
    """A `Session` over a `CocotbLine`; as `glintfpga.sim.host.SimHost`, but awaited.

    Members: ``session``; ``damage``, called with each piece of data that crosses the line, returns
    what arrives instead.
    """

    def __init__(self, line: CocotbLine):
        self.line = line
        self.session = Session()
        self.session.start(1, _seconds())
        self.damage: Callable[[bytes], bytes] = bytes

    async def ask(self, *messages: bytes) -> list[Reply]:
        """Send whole messages and wait for the DONE of each; all replies ``(op, body)``."""
        self.session.send(*messages)
        replies: list[Reply] = []
        last = _seconds()
        while not self.session.done:
            await self._turn()
            replies += self.session.receive_all()
            if self.line.received:
                last = _seconds()
            assert _seconds() - last < PATIENCE_S, "the device fell silent"
        await self._turn()
        return replies + self.session.receive_all()

    async def _turn(self) -> None:
        arrived = self.damage(bytes(self.line.received))
        self.line.received.clear()
        if out := self.session.step(arrived, _seconds()):
            self.line.send(self.damage(out))
        await Timer(TURN_US, unit="us")


def _seconds() -> float:
    return get_sim_time("ns") * 1e-9
