# SPDX-License-Identifier: MIT
"""Reading and writing the files a user names on the command line."""

from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.quant.files import cannot_write, publish

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
            data = bytearray()
            while len(data) <= MAX_BYTES and (piece := file.read(PIECE_BYTES)):
                data += piece
    except FileNotFoundError:
        raise InputError(f"the {what} {str(path)!r} does not exist; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"the {what} {str(path)!r} cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"the {what} {str(path)!r} is larger than 64 MiB; name a {what} file")
    return bytes(data)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, wholly or not at all; its folder is made.

    Raises as ``check_place`` and ``publish``.
    """
    check_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(repr(str(path)), error) from error
    publish(path, data)


def check_place(path: Path) -> None:
    """Raise ``InputError`` when ``path`` is a folder, or no file at all.

    A file would take the place of /dev/null too. ``EnvironmentProblem`` where nothing can be.
    """
    try:
        if path.is_dir():
            raise InputError(f"the output {str(path)!r} is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"the output {str(path)!r} is no file; name one")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise cannot_write(repr(str(path)), error) from error
