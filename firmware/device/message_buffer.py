# SPDX-License-Identifier: MIT
"""Gathers the bodies of an answer, TOKENS or SCORES, into messages that fit a frame."""

from glintfpga.firmware.wire.messages import message
from glintfpga.firmware.wire.protocol import FLUSH_S, MESSAGE_HEADER, Op

__all__ = ["MessageBuffer"]


class MessageBuffer:
    """Collects the bodies of one command and cuts them into messages that fit a frame.

    ``unit`` is the number of bytes that stay together: an entry of TOKENS, a word of SCORES;
    ``payload`` that of a frame.
    """

    def __init__(self, op: Op, unit: int, payload: int) -> None:
        self._op = op
        self._limit = (payload - MESSAGE_HEADER) // unit * unit
        self._bytes = bytearray()
        self._touched = 0.0

    def add(self, data: bytes, now: float) -> None:
        """Add whole units."""
        self._bytes += data
        self._touched = now

    def take(self, now: float) -> list[bytes]:
        """The messages to send: the full ones, and the rest if 1 ms has passed since `add`."""
        full = []
        while len(self._bytes) >= self._limit:
            full.append(self._cut(self._limit))
        if self._bytes and now - self._touched >= FLUSH_S:
            full.append(self.close())
        return full

    def close(self) -> bytes:
        """The message that is left, or nothing; call it after `take`."""
        return self._cut(len(self._bytes)) if self._bytes else b""

    def _cut(self, size: int) -> bytes:
        cut = bytes(self._bytes[:size])
        del self._bytes[:size]
        return message(self._op, cut)
