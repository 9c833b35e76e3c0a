# SPDX-License-Identifier: MIT
"""What was typed at a terminal, kept in a file of the user between runs."""

import contextlib
import os
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.atomic import write_atomic

__all__ = ["ChatHistory", "history_file"]

MOST_LINES = 1000
MOST_BYTES = 1 << 20
LONGEST = 1000
"""Characters of a line that is kept; longer ones were pasted."""


def history_file() -> Path:
    """``chat-history`` in the user's folder for states, see the XDG base directories."""
    base = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(base, "glintfpga", "chat-history")


class ChatHistory:
    """Lines of this and earlier runs, in a file that only its user can read.

    Without a file that can be read and written nothing is kept, without a message.

    Members:
        lines: of earlier runs, oldest first, at most 1,000.
    """

    def __init__(self, path: Path):
        self.lines: list[str] = []
        self._path: Path | None = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lines = self._read(path)
        except (OSError, EnvironmentProblem):
            self._path = None

    def keep(self, line: str) -> None:
        """Append a line to the file, at once: a chat may end in any way."""
        if self._path is None or len(line) > LONGEST or not line.isprintable():
            return
        try:
            with os.fdopen(_open(self._path, os.O_APPEND | os.O_WRONLY), "ab") as file:
                file.write(f"{line}\n".encode())
        except (OSError, UnicodeEncodeError):  # the latter: bytes that are no text
            self._path = None

    def _read(self, path: Path) -> list[str]:
        """The newest lines; those before are taken out of the file once there are many."""
        if path.exists() and not path.is_file():
            raise FileExistsError(path)
        with os.fdopen(_open(path, os.O_RDWR), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_BYTES))
            found = file.read(MOST_BYTES).decode("utf-8", "replace").splitlines()
        lines = [line for line in found if line.isprintable() and len(line) <= LONGEST]
        newest = lines[-MOST_LINES:]
        if len(found) > 2 * MOST_LINES or size > MOST_BYTES:
            write_atomic(path, "".join(f"{line}\n" for line in newest).encode(), private=True)
        return newest


def _open(path: Path, flags: int) -> int:
    handle = os.open(path, flags | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError, AttributeError):  # no such thing on Windows
        os.fchmod(handle, 0o600)
    return handle
