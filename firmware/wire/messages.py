# SPDX-License-Identifier: MIT
"""Messages inside the two streams: builders and parsers of every body.

The rules and the numbers of ops, flags and statuses are in `glintfpga.firmware.wire.protocol`.
"""

import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

from glintfpga.firmware.wire.protocol import (
    MAX_MESSAGE,
    MESSAGE_HEADER,
    FrameError,
    GenerateFlag,
    Op,
    ScoreFlag,
    Status,
)
from glintfpga.quant.errors import InputError


def message(op: Op, body: bytes = b"") -> bytes:
    """One message; raises `InputError` when the body exceeds 65535 bytes."""
    if len(body) > MAX_MESSAGE:
        raise InputError(f"a {op.name} body of {len(body)} bytes, at most {MAX_MESSAGE}: split it")
    return struct.pack("<BH", op, len(body)) + body


def take_message(buffer: bytearray) -> tuple[int, bytes] | None:
    """Remove and return the first message ``(op, body)`` of ``buffer`` if it is all there."""
    if len(buffer) < MESSAGE_HEADER:
        return None
    end = MESSAGE_HEADER + int.from_bytes(buffer[1:3], "little")
    if len(buffer) < end:
        return None
    op, body = buffer[0], bytes(buffer[MESSAGE_HEADER:end])
    del buffer[:end]
    return op, body


def token_bytes(vocab: int) -> int:
    """Bytes that a token takes: 1, or 2 when the vocabulary exceeds 257."""
    return 2 if vocab > 257 else 1


def encode_tokens(tokens: Sequence[int], vocab: int) -> bytes:
    """Tokens on the wire; raises `InputError` at an id that is no token or not sendable.

    With one byte per token, id 256 (of a vocabulary of 257) has no spelling.
    """
    size = token_bytes(vocab)
    limit = min(vocab, 1 << 8 * size)
    for token in tokens:
        if not 0 <= token < limit:
            raise InputError(f"token {token!r} cannot be sent: expected 0..{limit - 1}")
    return b"".join(token.to_bytes(size, "little") for token in tokens)


def decode_tokens(body: bytes, vocab: int) -> list[int]:
    """Inverse of `encode_tokens`; a trailing odd byte is ignored."""
    size = token_bytes(vocab)
    return [
        int.from_bytes(body[i : i + size], "little") for i in range(0, len(body) - size + 1, size)
    ]


def prompt(tokens: Sequence[int], vocab: int) -> bytes:
    """PROMPT message."""
    return message(Op.PROMPT, encode_tokens(tokens, vocab))


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Body of GENERATE; ``temperature`` is T * 256, ``seed`` counts only with flag SEED."""

    count: int
    temperature: int = 0
    flags: int = 0
    seed: int = 0

    def encode(self) -> bytes:
        """The 15 bytes of the body."""
        return _GENERATE.pack(self.count, self.temperature, self.flags, self.seed)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """The inverse, for a body of `GENERATE_BYTES`."""
        return cls(**dict(zip(cls.__dataclass_fields__, _GENERATE.unpack(body), strict=True)))


_GENERATE = struct.Struct("<IHBQ")
GENERATE_BYTES = _GENERATE.size


def generate(
    count: int,
    *,
    temperature: int = 0,
    seed: int | None = None,
    blank_line: bool = False,
    crc: bool = False,
) -> bytes:
    """GENERATE message; ``seed`` None continues the noise stream."""
    flags = (
        GenerateFlag.SEED * (seed is not None)
        | GenerateFlag.BLANK_LINE * blank_line
        | GenerateFlag.CRC * crc
    )
    body = Generate(count=count, temperature=temperature, flags=flags, seed=seed or 0)
    return message(Op.GENERATE, body.encode())


def score(tokens: Sequence[int], vocab: int, *, logits: bool = False) -> bytes:
    """SCORE message."""
    return message(Op.SCORE, bytes([ScoreFlag.LOGITS * logits]) + encode_tokens(tokens, vocab))


def load(image: bytes, *, part: int = MAX_MESSAGE) -> list[bytes]:
    """LOAD of an image: its messages, with parts of so many bytes."""
    parts = (image[at : at + part] for at in range(0, len(image), part))
    return [
        message(Op.LOAD, len(image).to_bytes(4, "little")),
        *(message(Op.LOAD_PART, data) for data in parts),
        message(Op.LOAD_END),
    ]


def set_baud(index: int) -> bytes:
    """SET_BAUD message."""
    return message(Op.SET_BAUD, bytes([index]))


@dataclass(frozen=True, kw_only=True)
class Done:
    """Body of DONE, 7 bytes."""

    op: int
    status: int = Status.OK
    reason: int = 0
    count: int = 0

    def encode(self) -> bytes:
        """The 7 bytes of the body."""
        return _DONE.pack(self.op, self.status, self.reason, self.count)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """The inverse; raises `FrameError` on a wrong size."""
        if len(body) != _DONE.size:
            raise FrameError(f"DONE has {len(body)} bytes, expected {_DONE.size}")
        return cls(**dict(zip(cls.__dataclass_fields__, _DONE.unpack(body), strict=True)))


_DONE = struct.Struct("<BBBI")


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Body of COUNTED, 40 bytes; all count from power-up and wrap; cycles are clock cycles.

    == === =============== ==============================================================
    0  u32 token_cycles    of the last sampled token, request to answer of the core
    4  u64 total_cycles    sum of token_cycles over all sampled tokens
    12 u32 tokens          sampled tokens, EOS included
    16 u32 prefill_tokens  tokens taken by PROMPT and SCORE
    20 u64 prefill_cycles  cycles the core was busy within PROMPT and SCORE
    28 u32 dropped         frames (or payloads) thrown away, whatever the reason
    32 u32 crc_errors      those of them that were damaged
    36 u32 retries         rewinds of the device's sender
    == === =============== ==============================================================

    A software device has no clock: its cycles are 0.
    """

    token_cycles: int = 0
    total_cycles: int = 0
    tokens: int = 0
    prefill_tokens: int = 0
    prefill_cycles: int = 0
    dropped: int = 0
    crc_errors: int = 0
    retries: int = 0

    def encode(self) -> bytes:
        """The 40 bytes of the body."""
        return _COUNTERS.pack(*astuple(self))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """The inverse; raises `FrameError` on a wrong size."""
        if len(body) != _COUNTERS.size:
            raise FrameError(f"COUNTED has {len(body)} bytes, expected {_COUNTERS.size}")
        return cls(**dict(zip(cls.__dataclass_fields__, _COUNTERS.unpack(body), strict=True)))


_COUNTERS = struct.Struct("<IQIIQIII")
