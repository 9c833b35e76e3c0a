# SPDX-License-Identifier: MIT
"""Reading and writing the files a user names on the command line."""

from pathlib import Path
from typing import IO

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import cannot_write, write_atomic

__all__ = ["check_place", "read_bytes", "write_bytes"]

# Nothing this project reads is near this size; a bigger file is a wrong path, not a model.
MAX_BYTES = 64 << 20
# One read of all of that would set the memory aside for the smallest file, too.
PIECE_BYTES = 1 << 20


def read_bytes(path: Path, *, what: str) -> bytes:
    """The content of a file the user named, e.g. ``what="model"``.

    Raises ``InputError`` when it is missing, a folder, larger than 64 MiB or unreadable.
    """
    try:
        if path.is_dir():
            raise InputError(f"the {what} {str(path)!r} is a folder; name a file")
        with path.open("rb") as file:
            return read_stream(file, what=f"{what} {str(path)!r}")
    except FileNotFoundError:
        raise InputError(f"the {what} {str(path)!r} does not exist; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"the {what} {str(path)!r} cannot be read: {reason}") from error


def read_stream(stream: IO[bytes], *, what: str, most: int = MAX_BYTES) -> bytes:
    """All of a stream; ``InputError`` beyond ``most`` bytes, a power of two from 1 MiB on."""
    data = bytearray()
    while len(data) <= most and (piece := stream.read(PIECE_BYTES)):
        data += piece
    if len(data) > most:
        raise InputError(f"the {what} is larger than {most >> 20} MiB; name another")
    return bytes(data)


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
