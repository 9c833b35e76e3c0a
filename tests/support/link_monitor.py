# SPDX-License-Identifier: MIT
"""Counts the frames that one end of a link receives, independently of that end's code.

Written from the rules in `glintfpga.firmware.wire.protocol`, with a COBS decoder of its own, so
that the counters of a device or of a host can be compared with it.
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["LinkMonitor", "frames_of", "unstuffed"]

MAX_RAW = 205
_HELLO, _DATA = 0x11, 0x12
_SIZES = {_HELLO: (5, 133), _DATA: tuple(range(8, 201))}
"""Bytes of a body without its CRC, by its first byte."""


def unstuffed(raw: bytes) -> bytes | None:
    """The inverse of COBS for the bytes between two zeros; None where it has none."""
    out, at = bytearray(), 0
    while at < len(raw):
        end = at + raw[at]
        if end > len(raw):
            return None
        out += raw[at + 1 : end]
        if raw[at] < 255 and end < len(raw):
            out.append(0)
        at = end
    return bytes(out)


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def frames_of(data: bytes) -> list[bytes]:
    """The frames in what one `poll` of an end put out."""
    return [raw for raw in data.split(b"\0") if raw]


@dataclass
class LinkMonitor:
    """Counts of the frames that one end receives.

    Parameters: ``is_host``, which end it is; ``sent``, the frames that the other end has sent.
    Members, in frames: ``valid`` of the current session, in order or without payload; ``damaged``;
    ``refused``: whole, but foreign, of another session or out of order; ``forged``: valid to a
    CRC-32, and never sent.
    """

    is_host: bool
    sent: Counter[bytes]
    valid: int = 0
    damaged: int = 0
    refused: int = 0
    forged: int = 0
    _open: bool = False
    _asked: bool = False
    _nonce: int = -1
    _expected: int = 0
    _rest: bytearray = field(default_factory=bytearray)

    @property
    def dropped(self) -> int:
        """As the end itself has to count."""
        return self.damaged + self.refused

    def on_tx(self, data: bytes) -> None:
        """The host sends this; a HELLO with a new nonce ends its session."""
        for raw in frames_of(data):
            body = unstuffed(raw) or b""
            nonce = int.from_bytes(body[1:5], "little")
            if body[:1] == bytes([_HELLO]) and nonce != self._nonce:
                self._nonce, self._open, self._asked, self._expected = nonce, False, True, 0

    def on_rx(self, data: bytes) -> None:
        """This end was fed these bytes."""
        *closed, rest = data.split(b"\0")
        for part in closed:
            raw = bytes(self._rest + part)
            self._rest.clear()
            if raw:
                self._take(raw)
        self._rest += rest

    def _take(self, raw: bytes) -> None:
        body = unstuffed(raw) if len(raw) <= MAX_RAW else None
        if body is None or len(body) < 9 or _crc(body[:-4]) != body[-4:]:
            self.damaged += 1
            return
        self.forged += raw not in self.sent
        body = body[:-4]
        if body[0] in _SIZES and len(body) not in _SIZES[body[0]]:
            self.damaged += 1
        elif self._accepts(body):
            self.valid += 1
        else:
            self.refused += 1

    def _accepts(self, body: bytes) -> bool:
        if body[0] == _HELLO and (len(body) > 5) == self.is_host:
            nonce = int.from_bytes(body[1:5], "little")
            if self.is_host:
                if nonce == self._nonce and self._asked:
                    self._open, self._asked = True, False
                return nonce == self._nonce
            self._nonce, self._open, self._expected = nonce, True, 0
            return True
        if body[0] != _DATA or not self._open or body[1] != self._nonce & 255:
            return False
        payload = len(body) - 8
        if payload and int.from_bytes(body[3:5], "little") != self._expected:
            return False
        self._expected = (self._expected + payload) % 65536
        return True
