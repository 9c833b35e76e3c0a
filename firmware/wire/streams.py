# SPDX-License-Identifier: MIT
"""The two ends of one stream of the link: a ring of bytes each, without I/O or a clock.

The rules are those of `glintfpga.firmware.wire.protocol`. ``now`` is in seconds from any origin and
never goes back.
"""

from glintfpga.firmware.wire.frames import Data
from glintfpga.firmware.wire.protocol import (
    CREDIT_UNIT,
    CREDIT_UPDATE,
    MAX_CREDIT,
    SHORT_PAYLOAD,
    TO_HOST_RING,
)

__all__ = ["Receiver", "Sender"]


class Sender:
    """Sending end: a ring of the bytes not yet acked, the first `sent` of them on their way.

    Parameter: bytes in the peer's ring.
    """

    def __init__(self, window: int) -> None:
        self.oldest = 0
        self.sent = 0
        self.retries = 0
        self._ring = bytearray()
        self._window = window
        self._since = 0.0
        self._may_repeat = True
        self._is_careful = False

    @property
    def room(self) -> int:
        """Bytes `write` would take now."""
        return TO_HOST_RING - len(self._ring)

    @property
    def stored(self) -> int:
        """Bytes written and not acked."""
        return len(self._ring)

    @property
    def sendable(self) -> int:
        """Bytes that the peer's credit lets go out now."""
        return max(0, min(len(self._ring), self._window) - self.sent)

    def open(self, window: int) -> None:
        """The peer's ring has so many bytes, all of them free."""
        self._window = window

    def write(self, data: bytes) -> int:
        """Take as much of ``data`` as there is room for; returns how much."""
        taken = min(len(data), self.room)
        self._ring += data[:taken]
        return taken

    def take(self, now: float, limit: int) -> tuple[int, bytes]:
        """Offset and payload of the next frame; the payload is empty if nothing is sendable.

        Behind a rewind it is short: of a line that damages a byte in 100, no long one would come.
        """
        offset = self.oldest + self.sent
        if self._is_careful:
            limit = min(limit, SHORT_PAYLOAD)
        size = min(self.sendable, limit)
        payload = bytes(self._ring[self.sent : self.sent + size])
        self.sent += size
        if payload:
            self._since = now
        return offset % 65536, payload

    def acked(self, frame: Data, now: float) -> None:
        """Use ack and credit of a valid frame."""
        step = (frame.ack - self.oldest) % 65536
        if step > len(self._ring):
            return
        self._window = frame.credit * CREDIT_UNIT
        if step:
            del self._ring[:step]
            self.oldest += step
            self.sent = max(0, self.sent - step)
            self._since = now
            self._may_repeat = True
            self._is_careful = False
        elif not frame.payload and self.sent and self._may_repeat:
            self._may_repeat = False
            self._rewind()

    def late(self, now: float, limit: float) -> bool:
        """Whether something sent has gone unacked for ``limit`` seconds."""
        return self.sent > 0 and now - self._since >= limit

    def expire(self) -> None:
        """The timer fired: rewind."""
        self._may_repeat = True
        self._rewind()

    def _rewind(self) -> None:
        self.sent = 0
        self._is_careful = True
        self.retries += 1


class Receiver:
    """Receiving end: a ring of so many bytes, taken in order and not yet read."""

    def __init__(self, size: int) -> None:
        self.expected = 0
        self._size = size
        self._ring = bytearray()
        self.advertised = self.credit

    @property
    def stored(self) -> int:
        """Bytes that `read` would return."""
        return len(self._ring)

    @property
    def credit(self) -> int:
        """Free space in units of 32 bytes."""
        return min(MAX_CREDIT, (self._size - len(self._ring)) // CREDIT_UNIT)

    @property
    def must_update(self) -> bool:
        """Whether the peer last learned of little space and there is more now."""
        return self.advertised < CREDIT_UPDATE <= self.credit

    def take(self, frame: Data) -> bool:
        """Take the payload if it is the next one and fits; returns whether."""
        fits = len(frame.payload) <= self._size - len(self._ring)
        if frame.offset != self.expected % 65536 or not fits:
            return False
        self._ring += frame.payload
        self.expected += len(frame.payload)
        return True

    def read(self, limit: int | None = None) -> bytes:
        """Remove and return up to ``limit`` bytes."""
        data = bytes(self._ring[:limit])
        del self._ring[: len(data)]
        return data

    def peek(self) -> int | None:
        """The byte `read` would return first."""
        return self._ring[0] if self._ring else None
