# SPDX-License-Identifier: MIT
"""Counts the frames that one end of a link receives, independently of that end's code.

Written from the rules in `glintfpga.firmware.wire.protocol`, with a COBS decoder of its own, so
that the counters of a device or of a host can be compared with it.
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["LinkMonitor", "frames_of", "unstuffed"]

_VERSION, _HELLO, _DATA = 2, 1, 2
_GREETING_BYTES, _DATA_BYTES = 5, 8
"""Of a body without payload and CRC."""
_TO_HOST, _TO_DEVICE = 2000, 512
"""The longest payloads."""


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
            is_hello = len(body) == _GREETING_BYTES + 4 and body[0] & 15 == _HELLO
            if is_hello and nonce != self._nonce:
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
        most = _DATA_BYTES + (_TO_HOST if self.is_host else _TO_DEVICE) + 4
        fits = len(raw) <= most + most // 254 + 1
        body = unstuffed(raw) if fits else None
        if body is None or not 9 <= len(body) <= most or _crc(body[:-4]) != body[-4:]:
            self.damaged += 1
            return
        self.forged += raw not in self.sent
        body = body[:-4]
        if body[0] == _VERSION << 4 | _DATA and len(body) < _DATA_BYTES:
            self.damaged += 1
        elif self._accepts(body):
            self.valid += 1
        else:
            self.refused += 1

    def _accepts(self, body: bytes) -> bool:
        version, kind = body[0] >> 4, body[0] & 15
        nonce = int.from_bytes(body[1:5], "little")
        if kind == _HELLO and len(body) == _GREETING_BYTES and not self.is_host:
            self._nonce, self._open, self._expected = nonce, True, 0
            return True
        if kind == _HELLO and version == _VERSION and self.is_host:
            if len(body) == _GREETING_BYTES or not _is_readable(body[_GREETING_BYTES:]):
                return False
            if nonce == self._nonce and self._asked:
                self._open, self._asked = True, False
            return nonce == self._nonce
        if (version, kind) != (_VERSION, _DATA):
            return False
        if not self._open or body[1] != self._nonce & 255:
            return False
        payload = len(body) - _DATA_BYTES
        if payload and int.from_bytes(body[3:5], "little") != self._expected:
            return False
        self._expected = (self._expected + payload) % 65536
        return True


def _is_readable(info: bytes) -> bool:
    """Whether a hello has its fixed part, whole fields, none of them twice, and those it needs."""
    at, sizes = 16, dict[int, int]()
    while at + 2 <= len(info):
        if info[at] in sizes:
            return False
        sizes[info[at]] = info[at + 1]
        at += 2 + info[at + 1]
    needed = {1: 1, 2: 1, 3: 4, **({5: 5} if 5 in sizes else {})}
    return at == len(info) and all(sizes.get(kind, -1) >= size for kind, size in needed.items())
