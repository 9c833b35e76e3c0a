# SPDX-License-Identifier: MIT
"""A folder that one process at a time may fill."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import cannot_write

__all__ = ["locked"]

_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
_BYTE = 1 << 30
"""Others cannot read the byte that Windows locks, so it is far behind the text."""


@contextlib.contextmanager
def locked(path: Path, *, what: str) -> Iterator[None]:
    """Lock the file ``path`` while the block runs; it contains the id of this process.

    The system releases the lock when the process ends, in whatever way. On a file system without
    locks nothing is locked. Raises ``InputError`` when another process holds it, in which ``what``
    is as "the build in 'x'", and ``EnvironmentProblem`` when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(repr(str(path)), error) from error
    try:
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in _HELD:
                holder = os.read(handle, 20).decode("ascii", "replace").strip() or "of unknown id"
                raise InputError(
                    f"{what} is going on already, in process {holder}: wait for its end, or name "
                    "another folder with --out"
                ) from None
        else:
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt  # Windows

        os.lseek(handle, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
