# SPDX-License-Identifier: MIT
"""Text that was typed as bytes for a model, and bytes of a model as text that is safe to show."""

import codecs
import io
import os
import sys

from glintfpga.quant.errors import InputError

__all__ = ["ShownText", "is_plain", "one_line", "prepare_output", "typed_bytes"]


def is_plain() -> bool:
    """Whether the user asked for text without escape codes: no colors, and no bars either."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def prepare_output() -> None:
    """Let stdout and stderr take any text, whatever the system and its code page.

    A terminal gets escapes for characters it does not have; in files and pipes stdout is UTF-8
    with bare newlines, so that the same command gives the same bytes everywhere.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            if stream is sys.stdout and not stream.isatty():
                # A new encoding alone would make its errors strict again.
                stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def one_line(text: str) -> str:
    """The text on one line, with escapes for what is not printable, as names of files may have."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )


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
    newline and tab) become ``\xNN``, so that nothing a model says can steer a terminal.

    Members: ``feed(data) -> str`` and ``finish() -> str`` (what an unfinished character leaves).
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def feed(self, data: bytes) -> str:
        return _without_controls(self._decoder.decode(data))

    def finish(self) -> str:
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return _without_controls(text)


def _without_controls(text: str) -> str:
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character in "\n\t" or character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8"))
