# SPDX-License-Identifier: MIT
"""Where questions come from: a person at a terminal, or a pipe."""

import importlib
import sys
from typing import Any, NamedTuple

import click

from glintfpga.host.chat.history import ChatHistory, history_file
from glintfpga.host.console.text import is_plain, typed_bytes
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.text import strip_bom

__all__ = ["Keyboard", "Pipe", "Typed"]

MAX_LINE = 1 << 20
PROMPT = "> "
MORE = ". "
QUOTES = '"""'


class Typed(NamedTuple):
    """What was typed, without the end of its last line."""

    data: bytes
    may_command: bool = False
    """Whether it may be a command: a line at a terminal, and not in quotes."""


class Pipe:
    """Lines of standard input."""

    def read(self) -> Typed | None:
        """The next line, or None after the last one. Raises ``InputError`` for an endless one."""
        data = sys.stdin.buffer.readline(MAX_LINE + 1) if sys.stdin else b""
        if len(data) > MAX_LINE:
            raise InputError(f"a line of more than {MAX_LINE} bytes; break it into lines")
        return Typed(strip_bom(data.rstrip(b"\r\n"))) if data else None


class Keyboard:
    '''Lines typed at a terminal, with editing and a history where the system has it.

    ``"""`` begins a text of several lines and ends it; pasted lines stay together without it,
    where the terminal marks what is pasted.
    '''

    def __init__(self) -> None:
        self._history: ChatHistory | None = None
        try:
            readline: Any = importlib.import_module("readline")
        except ImportError:  # Windows
            return
        # The Mac's stand-in has no such setting.
        if "libedit" not in (readline.__doc__ or "") and not is_plain():
            readline.parse_and_bind("set enable-bracketed-paste on")
        self._history = ChatHistory(history_file())
        for line in self._history.lines:
            readline.add_history(line)

    def read(self) -> Typed | None:
        """The next line or text, or None at Ctrl-D. Ctrl-C raises ``KeyboardInterrupt``.

        Within quotes Ctrl-C drops what was typed, and an empty line is returned.
        """
        try:
            line = self._line(PROMPT)
            begun = line.lstrip()
            if not begun.startswith(QUOTES):
                return Typed(typed_bytes(line), may_command="\n" not in line)
            return Typed(typed_bytes(self._quoted(begun.removeprefix(QUOTES))))
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo()
            raise

    def _line(self, prompt: str) -> str:
        line = input(prompt)
        if self._history and line.strip():
            self._history.keep(line)
        return line

    def _quoted(self, first: str) -> str:
        lines = [first] if first else []
        while not (lines and lines[-1].rstrip().endswith(QUOTES)):
            try:
                lines.append(self._line(MORE))
            except KeyboardInterrupt:
                click.echo()
                return ""
        return "\n".join(lines).rstrip().removesuffix(QUOTES).removesuffix("\n")
