# SPDX-License-Identifier: MIT
"""Files of text, plain or packed with xz, read in pieces of bounded size."""

import lzma
import os
from collections.abc import Iterator
from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import cannot_read

__all__ = ["MAX_TEXT_BYTES", "pieces", "problem_of", "read_text", "strip_bom"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MAX_TEXT_BYTES = 1 << 27
"""Longer than any usual benchmark; bounds what a small packed file unpacks to."""

_PIECE_BYTES = 1 << 20
_UNPACK_BYTES = 80 << 20
"""For the unpacker's dictionary: xz's highest level, -9, asks for 65 MiB."""


def read_text(path: str | Path, *, limit: int | None = None) -> bytes:
    """Read ``.txt`` or ``.txt.xz``, or its first ``limit`` bytes.

    Raises ``InputError`` when it cannot be read, or has more than 128 MiB and no smaller limit.
    """
    path = Path(path)
    if not path.name.endswith((".txt", ".txt.xz")):
        raise InputError(f"{os.fspath(path)!r} is no text: give a .txt or .txt.xz file")
    wanted = MAX_TEXT_BYTES + 1 if limit is None else min(limit, MAX_TEXT_BYTES)
    text = bytearray()
    for piece in pieces(path):
        text += piece[: wanted - len(text)]
        if len(text) == wanted:
            break
    if len(text) > MAX_TEXT_BYTES:
        raise InputError(f"{os.fspath(path)!r} has more than {MAX_TEXT_BYTES} bytes: cut it")
    return bytes(text)


def strip_bom(data: bytes) -> bytes:
    """The bytes without a byte-order mark before them, as PowerShell sends into a pipe."""
    return data.removeprefix(BYTE_ORDER_MARK)


def problem_of(text: bytes) -> str | None:
    """One line on bytes that no training text has and that change a score; None without them."""
    kinds = {
        "a byte-order mark": text.startswith(BYTE_ORDER_MARK),
        "carriage returns, as line ends of Windows": b"\r" in text,
        "NUL bytes, as UTF-16": b"\0" in text,
    }
    found = [name for name, there in kinds.items() if there]
    return f"it has {', '.join(found)}: that changes the score" if found else None


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the content in pieces of at most 1 MiB; a name that ends in .xz is unpacked.

    A packed file is one xz stream. Raises ``InputError`` when the file cannot be read, is damaged,
    or goes on after the end of the stream.
    """
    try:
        with path.open("rb") as file:
            if path.suffix == ".xz":
                yield from _unpacked(iter(lambda: file.read(_PIECE_BYTES), b""))
            else:
                yield from iter(lambda: file.read(_PIECE_BYTES), b"")
    except (OSError, ValueError, EOFError, lzma.LZMAError) as error:  # ValueError: a NUL in a name
        raise cannot_read(repr(os.fspath(path)), error) from error


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_UNPACK_BYTES)
    while not unpacker.eof:
        piece = next(packed, b"") if unpacker.needs_input else b""
        if unpacker.needs_input and not piece:
            raise EOFError("it ends in the middle: fetch it again")
        yield unpacker.decompress(piece, max_length=_PIECE_BYTES)
    if unpacker.unused_data or next(packed, b""):
        raise EOFError("it goes on after its end: pack it again as one stream")
