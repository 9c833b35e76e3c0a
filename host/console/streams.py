# SPDX-License-Identifier: MIT
"""stdout and stderr that behave alike on all systems, code pages and shells."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.atomic import DISK_ERRORS, cannot_write

__all__ = ["explained", "finish_output", "let_go", "prepare_output", "silenced"]

STDOUT, STDERR = 1, 2


def prepare_output() -> None:
    """Let stdout and stderr accept any text, whatever the system and its code page.

    A terminal gets escapes for characters it does not have; in files and pipes stdout is UTF-8
    with bare newlines, so that the same command gives the same bytes everywhere. To write to a
    stdout that is closed is an ``OSError``, and nothing without one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The next file that is opened would get this number, and what is meant for stdout.
            os.open(os.devnull, os.O_WRONLY if number == STDERR else os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = open(STDOUT, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            if stream is sys.stdout and not stream.isatty():
                # A new encoding alone would make its errors strict again.
                stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def finish_output() -> Exception | None:
    """Flush stdout; returns the error when that fails, as of ``explained``."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return explained(error, "to stdout")
    return None


def explained(error: OSError, what: str = "the output") -> Exception:
    """The error to raise for a failed write; ``BrokenPipeError`` if the reader is gone.

    An error without a known cause in the environment is returned unchanged.
    """
    if isinstance(error, BrokenPipeError):
        return error
    name = None if error.filename is None else repr(str(error.filename))
    if name is None and os.name == "nt" and error.errno == errno.EINVAL:
        # So Windows calls a pipe without a reader, and also a file with a wrong name.
        return BrokenPipeError(errno.EPIPE, error.strerror)
    if name is None and error.errno == errno.EBADF and sys.__stdout__ is None:
        return EnvironmentProblem("stdout is closed; send it to a file, or to the null device")
    if error.errno == errno.ENOENT and "temporary directory" in str(error.strerror):
        return EnvironmentProblem("no folder for temporary files is writable; set TMPDIR to one")
    if error.errno in DISK_ERRORS:
        return cannot_write(name or what, error)
    if name and error.errno in (errno.EACCES, errno.EPERM):
        return EnvironmentProblem(
            f"{name}: {error.strerror}; change who may use it, or choose another place"
        )
    return error


def let_go(stream: TextIO | None) -> None:
    """Drop what a stream has buffered and cannot write.

    At its exit the interpreter writes it once more, complains, and changes the exit code.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Programs that are started in the block write nowhere."""
    kept = {number: os.dup(number) for number in (STDOUT, STDERR)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, handle in kept.items():
            os.dup2(handle, number)
            os.close(handle)
        os.close(nowhere)
