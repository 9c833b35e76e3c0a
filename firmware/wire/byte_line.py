# SPDX-License-Identifier: MIT
"""A line to a device: bytes in, bytes out, and a clock. Everything that carries bytes is one."""

from abc import abstractmethod
from typing import Protocol

from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.quant.errors import DeviceError

__all__ = ["BRIDGE_DIVIDER", "ByteLine", "LinkLost"]

BRIDGE_DIVIDER = 4


class LinkLost(DeviceError):
    """The device went away or fell silent; connecting again may help."""


class ByteLine(Protocol):
    """A serial port, a simulated board, a software device, or a faulty line before one of them.

    Losing the line raises `LinkLost`.
    """

    name: str
    """As the user wrote it or as it was found."""
    real_time: bool = False
    """Whether `clock` goes on while nobody reads: then an idle session needs keep-alives."""
    slowness: float = 1.0
    """Wall-clock seconds per second of `clock`; measure time only where it is 1."""
    rate_factors: tuple[float, ...] = (1,)
    """What a rate may have to be multiplied with: some bridges divide it by `BRIDGE_DIVIDER`, and
    the rates of a device grow with its clock where that is not the one it was built for."""
    first_baud: int = BAUDS[0]
    """Rate of both ends when the line is opened."""

    @abstractmethod
    def clock(self) -> float:
        """Seconds of the device's time, from any origin."""

    @abstractmethod
    def read(self, size: int, timeout: float) -> bytes:
        """1..size bytes, as soon as there are any, or none after ``timeout`` seconds of `clock`."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of ``data``."""

    @abstractmethod
    def set_baud(self, baud: int) -> bool:
        """Change the rate of both directions; returns whether the line has such a rate."""

    def close(self) -> None:
        """Give the line back; closing twice is harmless."""
        return
