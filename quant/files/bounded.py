# SPDX-License-Identifier: MIT
"""Whole files and streams in bounded memory, with one error for what cannot be read."""

import os
from pathlib import Path
from typing import IO

from glintfpga.quant.errors import InputError

__all__ = ["cannot_read", "read_head", "read_limited", "read_stream"]

_PIECE_BYTES = 1 << 20
"""To read all of a large limit at once would set the memory aside for the smallest file, too."""


def read_limited(path: str | Path, limit: int, what: str = "") -> bytes:
    """The content of a file of at most ``limit`` bytes.

    ``what`` stands before its name in errors, as "the manifest". Raises ``InputError`` when it
    cannot be read, or is larger.
    """
    data = read_head(path, limit + 1, what)
    return _within(data, limit, _named(path, what))


def read_head(path: str | Path, size: int, what: str = "") -> bytes:
    """The first ``size`` bytes of a file, or all if it has fewer. Raises as `read_limited`."""
    try:
        with Path(path).open("rb") as file:
            return _pieces(file, size)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise cannot_read(_named(path, what), error) from error


def read_stream(stream: IO[bytes], limit: int, what: str) -> bytes:
    """All of a stream. Raises ``InputError`` when it has more than ``limit`` bytes."""
    return _within(_pieces(stream, limit + 1), limit, what)


def cannot_read(name: str, error: Exception) -> InputError:
    """The error for what could not be read, as ``'a.glint'``."""
    return InputError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


def _named(path: str | Path, what: str) -> str:
    return f"{what} {os.fspath(path)!r}".lstrip()


def _pieces(stream: IO[bytes], size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := stream.read(min(_PIECE_BYTES, size - len(data)))):
        data += piece
    return bytes(data)


def _within(data: bytes, limit: int, name: str) -> bytes:
    if len(data) > limit:
        most = f"{limit} bytes" if limit % (1 << 20) else f"{limit >> 20} MiB"
        raise InputError(f"{name} is larger than {most}; name another")
    return data
