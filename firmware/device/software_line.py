# SPDX-License-Identifier: MIT
"""A software device as a line: it works while the host waits in `SoftwareLine.read`."""

import time
from collections.abc import Callable

from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost

__all__ = ["SoftwareLine"]

_NAP_S = 0.001


class SoftwareLine(ByteLine):
    """A software device in place of a board and its serial port. It has all rates.

    Parameters: the device, what the user calls it, and a clock in seconds (for tests).
    """

    def __init__(
        self,
        device: SoftwareDevice,
        *,
        name: str = "ref:",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = device
        self.name = name
        self._clock = clock
        self._ready = bytearray()
        self._closed = False

    def clock(self) -> float:
        return self._clock()

    def read(self, size: int, timeout: float) -> bytes:
        self._check()
        deadline = self._clock() + timeout
        while not self._ready:
            now = self._clock()
            self._ready += self.device.poll(now)
            if self._ready or now >= deadline:
                break
            if self.device.idle:
                time.sleep(_NAP_S)
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def write(self, data: bytes) -> None:
        self._check()
        self.device.feed(data, self._clock())

    def set_baud(self, baud: int) -> bool:
        return True

    def close(self) -> None:
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise LinkLost("the port of the software device is closed: open it again")
