# SPDX-License-Identifier: MIT
"""A serial port as a line to a device, and why it cannot be opened, in one sentence."""

import contextlib
import errno
import logging
import os
import re
import time
from pathlib import Path

import serial

from glintfpga.firmware.wire.byte_line import BRIDGE_DIVIDER, ByteLine, LinkLost
from glintfpga.host.ports.user_groups import access_step
from glintfpga.quant.errors import DeviceError

__all__ = ["RATE_FACTORS", "SerialLine"]

RATE_FACTORS: tuple[float, ...] = (1, BRIDGE_DIVIDER)

_PYSERIAL: tuple[type[Exception], ...] = (
    *(OSError, ValueError),  # its own, and those of a handle that is gone or beyond `select`
    *(TypeError, AttributeError),  # it trips over the handle of a closed port
    NotImplementedError,  # a rate that a system cannot set
    *(LookupError, re.error),  # hwgrep:// and alt:// with wrong options
)
"""What pyserial raises or lets through; no block that expects them does more than call it."""
with contextlib.suppress(ImportError):  # Windows has no terminals
    import termios

    _PYSERIAL += (termios.error,)  # which is no OSError

PSEUDO_SLOWNESS = 40.0
"""Behind a pseudo-terminal is a simulation (``sim --pty``), which is two orders slower than a
board: all waits are as many times longer, by a clock that runs slower."""
PSEUDO_TERMINALS = ("/dev/pts/", "/dev/ttys")
"""Of Linux and of macOS; serial ports of boards are called otherwise (``ttyS`` is not ``ttys``)."""
SLICE_S = 0.02
"""How long one read waits. It never changes: each change makes pyserial set up the port again."""

_log = logging.getLogger("glintfpga.link")


class SerialLine(ByteLine):
    """A serial port, 8N1, opened for this process alone.

    Parameters: ``name`` as ``/dev/ttyUSB1``, ``COM5`` or a pyserial URL; ``baud`` at the start;
    ``rate_factors`` as of `ByteLine`.

    Raises ``DeviceError`` when it is missing, busy or not permitted.
    """

    real_time = True

    def __init__(self, *, name: str, baud: int, rate_factors: tuple[float, ...] = RATE_FACTORS):
        self.name = name
        self.first_baud = baud
        self.rate_factors = rate_factors
        self.slowness = PSEUDO_SLOWNESS if name.startswith(PSEUDO_TERMINALS) else 1.0
        try:
            self._port = serial.serial_for_url(name, do_not_open=True)
            self._port.baudrate = baud
            self._port.timeout = SLICE_S
            self._port.write_timeout = 2 * self.slowness
            if hasattr(self._port, "exclusive"):
                self._port.exclusive = True
            self._port.open()
        except _PYSERIAL as error:
            raise DeviceError(_why_not(name, error)) from error

    def clock(self) -> float:
        return time.monotonic() / self.slowness

    def read(self, size: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout * self.slowness
        try:
            waiting = self._port.in_waiting
            while not waiting and time.monotonic() < deadline:
                if first := self._port.read(1):
                    rest = min(self._port.in_waiting, size - 1)
                    return bytes(first) + bytes(self._port.read(rest) if rest else b"")
                waiting = self._port.in_waiting
            return bytes(self._port.read(min(size, waiting))) if waiting else b""
        except _PYSERIAL as error:
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except _PYSERIAL as error:
            raise self._lost(error) from error

    def set_baud(self, baud: int) -> bool:
        try:
            self._port.flush()
        except _PYSERIAL as error:
            raise self._lost(error) from error
        try:
            self._port.baudrate = baud
        except _PYSERIAL as error:
            _log.debug("port %s refuses %d baud: %s", self.name, baud, error)
            return False
        return True

    def close(self) -> None:
        try:
            self._port.close()
        except _PYSERIAL:
            return  # an unplugged port cannot be closed any better

    def _lost(self, error: Exception) -> LinkLost:
        _log.debug("port %s: %s", self.name, error)
        if isinstance(error, serial.SerialTimeoutException):
            what = "takes no more bytes"
        else:
            what = "was lost: it hung up, or another program reads it too"
        return LinkLost(f"port {self.name!r} {what}; plug the board in again")


def _why_not(name: str, error: Exception) -> str:
    text = str(error)
    code, reason = getattr(error, "errno", None), ""
    if error.args and type(error.args[0]) is int:  # also of an error of termios
        code = code or error.args[0]
        reason = os.strerror(error.args[0])
    if code == errno.EACCES:
        return f"no permission for port {name!r}; let this user in: {access_step(Path(name))}"
    if code in (errno.EBUSY, errno.EAGAIN) or "lock" in text or "PermissionError(13" in text:
        return f"port {name!r} is busy; close the other program that uses it"
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in text:
        return f"there is no port {name!r}; plug the board in, or use sim: to do without one"
    if code in (errno.ENOTTY, errno.EISDIR) or "Inappropriate ioctl" in text:
        return f"{name!r} is not a serial port; name a device such as /dev/ttyUSB1 or COM5"
    if code == errno.EINVAL:
        return f"port {name!r} refuses 115200 baud, 8N1; name the serial port of a board"
    return f"port {name!r} cannot be opened: {reason or text}; name a port such as /dev/ttyUSB1"
