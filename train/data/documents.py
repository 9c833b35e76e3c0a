# SPDX-License-Identifier: MIT
"""Text files as documents: ``.txt`` or ``.txt.xz``, UTF-8, a blank line between documents.

The lines of a document are its paragraphs. Files are read in pieces, so memory is bounded by the
longest document, whatever a packed file unfolds to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.quant.text_files import pieces

__all__ = ["MAX_DOCUMENT_BYTES", "SUFFIXES", "documents", "split"]

SUFFIXES = (".txt", ".txt.xz")
MAX_DOCUMENT_BYTES = 1 << 26


def documents(path: Path) -> Iterator[bytes]:
    """Yield each document of a file: its lines joined by newlines, none at the end.

    White space at the ends of lines goes. Raises ``InputError`` when the file is neither .txt nor
    .txt.xz, cannot be read, is damaged, is not UTF-8, or has a document of more than 64 MiB.
    """
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{os.fspath(path)!r} is no text: give a .txt or .txt.xz file")
    for number, document in enumerate(split(_lines(path))):
        _check_unicode(document, number, path)
        yield document


def split(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to documents at blank lines."""
    held: list[bytes] = []
    for line in lines:
        stripped = line.rstrip()
        if stripped:
            held.append(stripped)
        elif held:
            yield b"\n".join(held)
            held = []
    if held:
        yield b"\n".join(held)


def _lines(path: Path) -> Iterator[bytes]:
    held, size = b"", 0
    for piece in pieces(path):
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            size = size + len(line) if line.strip() else 0
            yield line
        if size + len(held) > MAX_DOCUMENT_BYTES:
            raise InputError(
                f"a document of {os.fspath(path)!r} has more than {MAX_DOCUMENT_BYTES} bytes: "
                "put blank lines between its parts"
            )
    yield held


def _check_unicode(document: bytes, number: int, path: Path) -> None:
    try:
        document.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"document {number} of {os.fspath(path)!r} is not UTF-8 (byte "
            f"0x{document[error.start]:02x}): convert the file"
        ) from error
