# SPDX-License-Identifier: MIT
"""Dialogues as documents in the chat template: ``.jsonl`` or ``.jsonl.xz``, one object per line.

    {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}

User and assistant take turns; the user begins, the assistant ends. Other fields are not read.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from glintfpga.quant.chat_template import dialogue
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["SUFFIXES", "dialogues"]

SUFFIXES = (".jsonl", ".jsonl.xz")
_ROLES = ("user", "assistant")


def dialogues(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one document per line, as `quant.chat_template` writes it; blank lines are skipped.

    Raises ``InputError`` with the number of a line that is no such dialogue.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                turns = _turns(parse_object(line))
            except InputError as error:
                raise InputError(f"line {number}: {error}") from error
            yield dialogue(zip(turns[::2], turns[1::2], strict=True))


def _turns(data: dict[str, Any]) -> list[bytes]:
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages or len(messages) % 2:
        raise InputError("'messages' must be a list of turns, an answer to each question")
    return [_text(message, _ROLES[index % 2]) for index, message in enumerate(messages)]


def _text(message: object, role: str) -> bytes:
    if not isinstance(message, dict) or message.get("role") != role:
        raise InputError(f"expected a turn of the {role}, not {message!r:.60}")
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise InputError(f"'content' must be text, not {content!r:.60}")
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"half a character in {content!r:.60}: convert the file") from error
