# SPDX-License-Identifier: MIT
"""Frames: bodies to bytes on the wire and back.

The forms are those in `glintfpga.firmware.wire.protocol`.
"""

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    DATA_HEADER,
    HELLO_HEADER,
    MAX_PAYLOAD,
    VERSION,
    FrameError,
    Kind,
    frame_bytes,
)

__all__ = [
    *("Data", "FrameSplitter", "Hello", "HelloReply"),
    *("decode_frame", "encode_frame", "parse_frame"),
]


def encode_frame(body: bytes) -> bytes:
    """Append the CRC to ``body`` (header and payload), stuff it, and close it with a zero."""
    return bytes(cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))) + b"\0"


def decode_frame(raw: bytes, *, max_payload: int = MAX_PAYLOAD) -> bytes:
    """Header and payload of the bytes between two delimiters; raises `FrameError`."""
    if len(raw) >= frame_bytes(max_payload):
        raise FrameError(f"frame of {len(raw)} bytes, at most {frame_bytes(max_payload) - 1}")
    try:
        body = bytes(cobs.decode(raw))
    except cobs.DecodeError as error:
        raise FrameError(f"frame is not COBS: {error}") from None
    if len(body) < HELLO_HEADER + CRC_BYTES:
        raise FrameError(f"frame of {len(body)} bytes is too short")
    if len(body) > DATA_HEADER + max_payload + CRC_BYTES:
        raise FrameError(f"frame of {len(body)} bytes is too long")
    body, crc = body[:-4], int.from_bytes(body[-4:], "little")
    if zlib.crc32(body) != crc:
        raise FrameError(f"frame CRC is {crc:#010x}, its bytes give {zlib.crc32(body):#010x}")
    return body


class FrameSplitter:
    """Cuts a byte stream at the zeros, in bounded memory.

    A frame longer than any with ``max_payload`` comes out cut to one byte more, which
    `decode_frame` refuses; empty frames do not come out at all.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._longest = frame_bytes(max_payload)
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, without delimiters, undecoded."""
        frames = []
        *closed, rest = data.split(b"\0")
        for piece in closed:
            self._take(piece)
            if self._begun:
                frames.append(bytes(self._begun))
                self._begun.clear()
        self._take(rest)
        return frames

    def _take(self, piece: bytes) -> None:
        self._begun += piece[: self._longest - len(self._begun)]


def _first_byte(kind: Kind) -> bytes:
    return bytes([VERSION << 4 | kind])


@dataclass(frozen=True)
class Hello:
    """HELLO of the host, of any ``version``."""

    nonce: int
    version: int = VERSION

    def encode(self) -> bytes:
        """The whole frame."""
        first = bytes([self.version << 4 | Kind.HELLO])
        return encode_frame(first + self.nonce.to_bytes(4, "little"))


@dataclass(frozen=True)
class HelloReply:
    """HELLO of the device."""

    nonce: int
    info: HelloInfo

    def encode(self) -> bytes:
        """The whole frame."""
        head = _first_byte(Kind.HELLO) + self.nonce.to_bytes(4, "little")
        return encode_frame(head + self.info.encode())


@dataclass(frozen=True, kw_only=True)
class Data:
    """DATA of either side; ``offset`` and ``ack`` modulo 65536, ``credit`` in 32 bytes."""

    session: int
    flags: int = 0
    offset: int
    ack: int
    credit: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The whole frame."""
        head = _DATA.pack(self.session, self.flags, self.offset, self.ack, self.credit)
        return encode_frame(_first_byte(Kind.DATA) + head + self.payload)


_DATA = struct.Struct("<BBHHB")


def parse_frame(raw: bytes, *, max_payload: int = MAX_PAYLOAD) -> Hello | HelloReply | Data:
    """The frame between two delimiters; raises `FrameError`, with ``damaged`` as above."""
    body = decode_frame(raw, max_payload=max_payload)
    version, kind = body[0] >> 4, body[0] & 15
    if kind == Kind.HELLO and len(body) == HELLO_HEADER:
        return Hello(int.from_bytes(body[1:], "little"), version)
    if version != VERSION:
        raise FrameError(f"frame of protocol version {version}, not {VERSION}", damaged=False)
    if kind == Kind.HELLO:
        nonce = int.from_bytes(body[1:HELLO_HEADER], "little")
        return HelloReply(nonce, HelloInfo.decode(body[HELLO_HEADER:]))
    if kind != Kind.DATA:
        raise FrameError(f"frame of unknown kind {kind}", damaged=False)
    if len(body) < DATA_HEADER:
        raise FrameError(f"DATA of {len(body)} bytes is too short")
    session, flags, offset, ack, credit = _DATA.unpack(body[1:DATA_HEADER])
    return Data(
        session=session,
        flags=flags,
        offset=offset,
        ack=ack,
        credit=credit,
        payload=body[DATA_HEADER:],
    )
