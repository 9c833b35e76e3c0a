# SPDX-License-Identifier: MIT
"""A line that does to the next frames what it was told, frame by frame."""

import random

from glintfpga.firmware.wire.byte_line import ByteLine

__all__ = ["FAULTS", "TO_DEVICE", "TO_HOST", "BadLine"]

TO_DEVICE, TO_HOST = 0, 1
FAULTS = ("drop", "double", "flip", "cut", "join", "swap", "noise")


class BadLine(ByteLine):
    """Carries frames whole, but for those that ``plans`` name.

    Members: ``plans``, by direction the fault and a number of the next frames; ``octets``, the
    bytes that passed since `take_count`; ``title`` of the device behind it.
    """

    def __init__(self, inner: ByteLine, title: str):
        self.inner, self.title = inner, title
        self.name = inner.name
        self.plans: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
        self.octets = 0
        self._parts = [b"", b""]

    def carry(self, data: bytes, way: int) -> bytes:
        """What arrives of the bytes of one call."""
        self.octets += len(data)
        *frames, self._parts[way] = (self._parts[way] + data).split(b"\0")
        out, held = b"", b""
        for frame in frames:
            fault, number = self.plans[way].pop(0) if frame and self.plans[way] else ("", 0)
            out += held if not fault == "swap" else b""
            match fault:
                case "drop":
                    frame = b""
                case "double":
                    frame += b"\0" + frame
                case "flip":
                    at = number % len(frame)
                    flipped = frame[at] ^ 1 << number % 8
                    frame = frame[:at] + bytes([flipped]) + frame[at + 1 :]
                case "cut":
                    frame = frame[: number % len(frame)]
                case "noise":
                    frame = random.Random(number).randbytes(number % 300) + b"\0" + frame
                case "swap":
                    held = frame + b"\0"
                    continue
            out += frame + (b"" if fault == "join" else b"\0")
            out += held
            held = b""
        return out + held

    def take_count(self) -> int:
        """The bytes that have passed since the last call."""
        octets, self.octets = self.octets, 0
        return octets

    def clock(self) -> float:
        return self.inner.clock()

    def set_baud(self, baud: int) -> bool:
        return self.inner.set_baud(baud)

    def write(self, data: bytes) -> None:
        self.inner.write(self.carry(data, TO_DEVICE))

    def read(self, size: int, timeout: float) -> bytes:
        return self.carry(self.inner.read(size, timeout), TO_HOST)
