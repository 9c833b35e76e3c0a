# SPDX-License-Identifier: MIT
"""The simulated board as a port: its time passes while the host waits in `SimPort.read`."""

import time

from glintfpga.quant.errors import DeviceError
from glintfpga.sim.compiled import CompiledSim
from glintfpga.sim.shipped import shipped_sim

__all__ = ["SimPort", "open_sim_port"]

SLICE_CYCLES = 200_000
"""At most this many cycles a call, so that Ctrl-C is heard at once."""
GATHER_BYTES = 32
"""After the first byte, wait as long as this many take: one call a byte would be slow."""
AWAKE_S = 1.5
"""Simulated silence after which the processor may rest; the device's own timers take 1 s."""
NAP_S = 0.02


class SimPort:
    """A UART of a compiled simulation, 8N1, any rate.

    Nothing moves between calls. After `AWAKE_S` without a byte either way the simulation stands
    still: `read` then sleeps, and `clock` counts the time slept.
    """

    def __init__(self, sim: CompiledSim, *, baud: float = 115_200):
        self.sim = sim
        self._slept = 0.0
        self._active = sim.cycles
        self._closed = False
        self.set_baud(baud)

    def clock(self) -> float:
        """Seconds of simulated time, and of sleep."""
        return self.sim.seconds + self._slept

    @property
    def resting(self) -> bool:
        """Whether nothing has been said for so long that `read` sleeps."""
        quiet = (self.sim.cycles - self._active) / self.sim.clk_hz
        return quiet > AWAKE_S and not self.sim.unsent

    def read(self, size: int, timeout: float) -> bytes:
        """1..size bytes as soon as there are any, or none after ``timeout`` seconds of `clock`."""
        self._check()
        end = self.clock() + timeout
        while not self.sim.waiting:
            left = end - self.clock()
            if left <= 0:
                return b""
            if self.resting:
                nap = min(left, NAP_S)
                time.sleep(nap)
                self._slept += nap
                continue
            cycles = min(SLICE_CYCLES, int(left * self.sim.clk_hz) + 1)
            self.sim.run(cycles, wanted=1)
            if self.sim.unsent:
                self._active = self.sim.cycles
        if self.sim.waiting < size:
            self.sim.run(self._gather_cycles, wanted=size)
        self._active = self.sim.cycles
        return self.sim.get(size)

    def write(self, data: bytes) -> None:
        """Queue all of ``data``; it goes onto the wire during the next reads."""
        self._check()
        if data:
            self.sim.put(data)
            self._active = self.sim.cycles

    def set_baud(self, baud: float) -> None:
        """Let what was written go out at the old rate, then change it for both directions."""
        self._check()
        while self.sim.unsent:
            self.sim.run(SLICE_CYCLES // 100)
        self._gather_cycles = round(GATHER_BYTES * 10 * self.sim.clk_hz / baud)
        self.sim.set_baud(baud)

    def close(self) -> None:
        """Forget the simulation; closing twice is harmless."""
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise DeviceError("the simulated port is closed; open it again")


def open_sim_port() -> SimPort:
    """The shipped simulation, just powered up, at 115200 baud.

    Raises ``EnvironmentProblem`` when its file is missing or damaged.
    """
    return SimPort(shipped_sim())
