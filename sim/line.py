# SPDX-License-Identifier: MIT
"""The simulated board as a line: its time passes while the host waits in `SimLine.read`."""

from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.sim.compiled import CompiledSim
from glintfpga.sim.idle import BAUD, Rest
from glintfpga.sim.shipped import shipped_sim

__all__ = ["SimLine", "open_sim_line"]

SLICE_CYCLES = 200_000
"""At most this many cycles per call, so that Ctrl-C acts at once."""
GATHER_BYTES = 32
"""After the first byte, wait as long as this many take: one call per byte would be slow."""


class SimLine(ByteLine):
    """A UART of a compiled simulation, 8N1, any rate.

    Nothing moves between calls. With ``rest`` nothing is computed either while the device only
    waits: the time of a `read` then passes at once.
    """

    name = "sim:"

    def __init__(self, sim: CompiledSim, *, baud: int = BAUDS[0], rest: Rest | None = None):
        self.sim = sim
        self.first_baud = baud
        self._rest = rest
        self._skipped = 0
        self._closed = False
        self.set_baud(baud)

    def clock(self) -> float:
        """Seconds of the device's time."""
        return (self.sim.cycles + self._skipped) / self.sim.clk_hz

    @property
    def resting(self) -> bool:
        """Whether nothing can happen until the next `write`."""
        return self._rest is not None and self._rest.found

    def read(self, size: int, timeout: float) -> bytes:
        """1..size bytes as soon as there are any, or none after ``timeout`` seconds of `clock`."""
        self._check()
        end = self.clock() + timeout
        while not self.sim.waiting:
            left = end - self.clock()
            if left <= 0:
                return b""
            self._pass(int(left * self.sim.clk_hz) + 1)
        if self.sim.waiting < size:
            self.sim.run(self._gather_cycles, wanted=size)
        self._wake()
        return self.sim.get(size)

    def skip(self, seconds: float) -> None:
        """Let time pass while the device is `resting`, up to the moment when it is no more."""
        if self._rest is not None and self._rest.found:
            self._skipped += self._rest.skip(int(seconds * self.sim.clk_hz))

    def write(self, data: bytes) -> None:
        """Queue all of ``data``; it goes onto the wire during the next reads."""
        self._check()
        if data:
            self.sim.put(data)
            self._wake()

    def set_baud(self, baud: int) -> bool:
        """Let what was written go out at the old rate, then change it for both directions."""
        self._check()
        while self.sim.unsent:
            self.sim.run(SLICE_CYCLES // 100)
        self._gather_cycles = round(GATHER_BYTES * 10 * self.sim.clk_hz / baud)
        self.sim.set_baud(baud)
        return True

    def close(self) -> None:
        """Forget the simulation; closing twice is harmless."""
        self._closed = True

    def _pass(self, cycles: int) -> None:
        """Up to so many cycles, until a byte comes."""
        if self._rest is None:
            self.sim.run(min(SLICE_CYCLES, cycles), wanted=1)
        elif self._rest.found:
            self._skipped += self._rest.skip(cycles)
        else:
            self.sim.run(min(SLICE_CYCLES, cycles, self._rest.cycles_to_look), wanted=1)
            self._rest.look()

    def _wake(self) -> None:
        if self._rest is not None:
            self._rest.end()

    def _check(self) -> None:
        if self._closed:
            raise LinkLost("the simulated port is closed; open it again")


def open_sim_line(*, baud: int = BAUDS[0]) -> SimLine:
    """The shipped simulation, just powered up, with both ends at ``baud``, one of `BAUDS`.

    A board always starts at 115200 baud, and a host takes it to another rate; the device that
    starts at one has the register of its rate set before the first cycle.

    Raises ``EnvironmentProblem`` when its file is missing or damaged.
    """
    sim = shipped_sim()
    if baud != BAUDS[0]:
        sim.item(BAUD).poke(BAUDS.index(baud))
    return SimLine(sim, baud=baud, rest=Rest(sim))
