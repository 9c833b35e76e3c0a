# SPDX-License-Identifier: MIT
"""Text files as documents: ``.txt`` or ``.txt.xz``, UTF-8, a blank line between documents.

The lines of a document are its paragraphs. ``.jsonl`` files contain dialogues (`dialogues`), whose
documents alone have blank lines: there a text ends, and the next one follows. Files are read in
pieces, so memory is bounded by the longest document, however large a packed file unpacks.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.text import pieces
from glintfpga.train.data import dialogues

__all__ = ["MAX_DOCUMENT_BYTES", "SUFFIXES", "are_dialogues", "documents", "split"]

SUFFIXES = (".txt", ".txt.xz", *dialogues.SUFFIXES)
MAX_DOCUMENT_BYTES = 1 << 26


def documents(path: Path) -> Iterator[bytes]:
    """Yield each document of a file: its lines joined by newlines, none at the end.

    White space at the ends of lines goes. Raises ``InputError`` when the file has none of
    ``SUFFIXES``, cannot be read, is damaged, is not UTF-8, has a document of more than 64 MiB, or
    a line that is no dialogue where there should be one.
    """
    if not path.name.endswith(SUFFIXES):
        raise InputError(
            f"{os.fspath(path)!r} is no text: give a .txt, .txt.xz, .jsonl or .jsonl.xz file"
        )
    if are_dialogues(path.name):
        try:
            yield from dialogues.dialogues(_lines(path, joined=False))
        except InputError as error:
            raise InputError(f"{os.fspath(path)!r}: {error}") from error
        return
    for number, document in enumerate(split(_lines(path, joined=True))):
        _check_unicode(document, number, path)
        yield document


def are_dialogues(name: str) -> bool:
    """Whether a file of this name contains dialogues."""
    return name.endswith(dialogues.SUFFIXES)


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


def _lines(path: Path, *, joined: bool) -> Iterator[bytes]:
    """The lines of a file. A document is one of them, or those up to a blank one ``joined``."""
    held, size = b"", 0
    for piece in pieces(path):
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            size = size + len(line) if joined and line.strip() else 0
            yield line
        if size + len(held) > MAX_DOCUMENT_BYTES:
            raise InputError(
                f"a document of {os.fspath(path)!r} has more than {MAX_DOCUMENT_BYTES} bytes: "
                f"put {'blank lines' if joined else 'newlines'} between its parts"
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
