# SPDX-License-Identifier: MIT
"""Reads and writes the files that a user names on the command line."""

import contextlib
from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import cannot_write, write_atomic
from glintfpga.quant.files.bounded import read_limited

__all__ = ["MAX_BYTES", "check_place", "read_bytes", "write_bytes"]

# Nothing this project reads is near this size; a bigger file is a wrong path, not a model.
MAX_BYTES = 64 << 20


def read_bytes(path: Path, *, what: str, most: int = MAX_BYTES) -> bytes:
    """The content of a file that the user named; ``what`` names it in errors, such as "model".

    Raises ``InputError`` when it is missing, a folder, larger than ``most`` bytes or unreadable.
    """
    with contextlib.suppress(OSError):
        if path.is_dir():
            raise InputError(f"the {what} {str(path)!r} is a folder; name a file")
        if not path.exists():
            raise InputError(f"the {what} {str(path)!r} does not exist; check the path")
    return read_limited(path, most, f"the {what}")


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, wholly or not at all; its folder is made.

    Raises as ``check_place`` and ``write_atomic``.
    """
    check_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(repr(str(path)), error) from error
    write_atomic(path, data)


def check_place(path: Path) -> None:
    """Raise ``InputError`` when ``path`` is a folder, or no file at all.

    A file would take the place of /dev/null too. ``EnvironmentProblem`` where nothing can be.
    """
    if path == Path("-"):
        raise InputError("the output '-' would be a file of that name; name another")
    try:
        if path.is_dir():
            raise InputError(f"the output {str(path)!r} is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"the output {str(path)!r} is no file; name one")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise cannot_write(repr(str(path)), error) from error
