# SPDX-License-Identifier: MIT
"""The chat template, the one definition of how turns become ids; trainer and chat use it.

    question 0A answer EOS  question 0A answer EOS  ...

A turn is one line. Nothing else is added, no names and no tags: a window of 8 sees 8 bytes, so
each byte of a tag would push a byte of the question out of sight. Both marks are ids whose
meaning the base model has learned: a newline ends a paragraph and EOS a text, and both are
followed by a capital. As lines inside a turn are joined, a newline always means that the answer
begins.

EOS is the stop: the device ends an answer at it and keeps it pending, so that it stands before the
next question without ever being sent. A conversation therefore enters the context exactly as it
is trained. Only the first question has no EOS before it, as prompts add nothing.
"""

from collections.abc import Iterable

__all__ = ["END_OF_TEXT", "dialogue", "question"]

END_OF_TEXT = b"\n\n"
"""EOS as it is written inside a document, which is bytes and not ids."""


def question(text: bytes) -> bytes:
    """What a model is given for a turn of the user; the answer follows."""
    return _line(text) + b"\n"


def dialogue(exchanges: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A document of (question, answer) pairs: a line each, ``END_OF_TEXT`` between the pairs."""
    return END_OF_TEXT.join(question(asked) + _line(answered) for asked, answered in exchanges)


def _line(text: bytes) -> bytes:
    return b" ".join(part for line in text.splitlines() if (part := line.strip()))
