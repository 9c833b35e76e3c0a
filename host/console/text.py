# SPDX-License-Identifier: MIT
"""Typed text as bytes for a model, and bytes of a model as text that is safe to show."""

import codecs
import os
import sys
from pathlib import Path

from glintfpga.quant.errors import InputError

__all__ = [
    "ShownText",
    "counted",
    "is_plain",
    "one_line",
    "shown_name",
    "typed_bytes",
    "without_controls",
]


def is_plain() -> bool:
    """Whether the user asked for text without escape codes: no colors, and no bars either."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def one_line(text: str) -> str:
    """The text on one line, with escapes for what is not printable, as names of files may have."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )


def counted(number: float, noun: str) -> str:
    """``1 source``, ``2 sources``."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{shown} {noun}{'' if number == 1 else 's'}"


def shown_name(path: Path) -> str:
    """A name for stdout: escaped on a terminal, elsewhere as it is, for programs."""
    return one_line(str(path)) if sys.stdout.isatty() else str(path)


def typed_bytes(text: str) -> bytes:
    """The bytes a user typed; raises ``InputError`` for half a character (Windows only)."""
    try:
        # Bytes that were not UTF-8 reach Python as surrogates and leave it as they came.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InputError(f"{text!r} holds half a character at {error.start}; retype it") from None


class ShownText:
    r"""Turns a stream of bytes into text, piece by piece.

    UTF-8 is decoded as it completes; the bytes of what is not UTF-8 or not printable (other than
    newline and tab) become ``\xNN``, so that no output of a model can control a terminal.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def feed(self, data: bytes) -> str:
        return without_controls(self._decoder.decode(data))

    def finish(self) -> str:
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return without_controls(text)


def without_controls(text: str) -> str:
    """The text with escapes for what is not printable, newline and tab excepted."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character in "\n\t" or character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8"))
