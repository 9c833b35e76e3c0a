# SPDX-License-Identifier: MIT
"""Reading and writing the files a user names on the command line."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from glintfpga.quant.errors import EnvironmentProblem, InputError

__all__ = ["read_bytes", "read_stream", "replacing", "write_bytes"]

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


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    When the block raises, ``path`` is left as it was. Raises ``EnvironmentProblem`` when the
    folder cannot be written to and ``InputError`` when ``path`` is a folder, or no file at all:
    a file would take the place of /dev/null too.
    """
    try:
        if path.is_dir():
            raise InputError(f"the output {str(path)!r} is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"the output {str(path)!r} is no file; name one")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        with contextlib.suppress(OSError):
            temporary.chmod(_usual_mode())
        try:
            temporary.replace(path)
        except OSError as error:
            raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, wholly or not at all; errors as ``replacing``."""
    with replacing(path) as file:
        try:
            file.write(data)
        except OSError as error:
            raise _cannot_write(path, error) from error


def _usual_mode() -> int:
    """The mode a plain ``open`` gives; ``mkstemp`` makes files only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _cannot_write(path: Path, error: Exception) -> EnvironmentProblem:
    reason = getattr(error, "strerror", None) or error
    return EnvironmentProblem(f"cannot write {str(path)!r}: {reason}; choose another place")
