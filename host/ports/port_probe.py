# SPDX-License-Identifier: MIT
"""Diagnoses what answers at a port instead of a device, in one line for the user."""

import contextlib

from glintfpga.firmware.wire.frames import FrameSplitter, decode_frame
from glintfpga.firmware.wire.protocol import HELLO_HEADER, VERSION, FrameError, Kind
from glintfpga.quant.errors import DeviceError

__all__ = ["PortProbe"]

KEPT = 40
"""Bytes shown of what else talks at a port."""
TEXT_SHARE = 0.8
"""Of printable bytes, from which on they count as text, of some other program."""


class PortProbe:
    """Looks, while a device is greeted, at the bytes that an `Endpoint` drops.

    Parameters: ``name`` of the port.
    """

    def __init__(self, name: str):
        self._name = name
        self._splitter = FrameSplitter()
        self._received = bytearray()
        self._echo = False

    def feed(self, data: bytes) -> None:
        """Take bytes of the line. Raises ``DeviceError`` for a device of another version."""
        self._received += data[: KEPT - len(self._received)]
        for raw in self._splitter.feed(data):
            with contextlib.suppress(FrameError):
                body = decode_frame(raw)
                if body[0] & 15 != Kind.HELLO:
                    continue
                if len(body) > HELLO_HEADER:
                    self._check(body[0] >> 4)
                else:  # Devices answer with more: this is our own greeting, of whatever version.
                    self._echo = True

    def diagnosis(self) -> str:
        """What is there instead of a device, and what to do."""
        return f"{self._found()}; put ours on the board (glintfpga flash), or name another port"

    def diagnosis_after(self, baud: int) -> str:
        """What became of a device that had answered before it was asked to go to ``baud``."""
        now = f"says only {bytes(self._received).hex()}" if self._received else "is silent"
        return (
            f"the device at {self._name!r} answered, and {now} since it was to go to {baud} baud; "
            "reset it, then try again"
        )

    def _found(self) -> str:
        port, received = f"port {self._name!r}", bytes(self._received)
        if self._echo:
            return f"{port} echoes what it is sent: another bitstream is running"
        if not received:
            return f"nothing answers at {port}: none of our bitstreams is running"
        text = "".join(chr(byte) for byte in received if 32 <= byte < 127)
        if len(text) < TEXT_SHARE * len(received):
            return (
                f"{port} answers with other bytes ({received.hex()}): another bitstream is running"
            )
        # Ctrl-X Ctrl-C Enter opens the console of the Tang Nano 20K's USB chip in place of the
        # UART, and its command `choose uart` leads back (as published projects use them).
        return (
            f"{port} answers with text ({text.strip()!r}): another bitstream is running, or the "
            "console of the board's USB chip is open (choose uart leaves it)"
        )

    def _check(self, version: int) -> None:
        if version != VERSION:
            update = "update this program, or " if version > VERSION else ""
            raise DeviceError(
                f"the device at {self._name!r} speaks protocol version {version}, this host "
                f"version {VERSION}; {update}flash the bitstream of this release: glintfpga flash"
            )
