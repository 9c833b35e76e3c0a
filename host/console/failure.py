# SPDX-License-Identifier: MIT
"""From an error to one line on stderr and an exit code."""

import contextlib
import logging
import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from glintfpga.host.console.streams import explained
from glintfpga.host.console.text import one_line
from glintfpga.quant.errors import EnvironmentProblem, GlintError

__all__ = ["report"]

EXTRAS_OF = {
    "torch": ("torch",),
    "scipy": ("train",),
    "datasets": ("data",),
    "pysat": ("prove",),
    "apycula": ("build", "prove", "tune"),
    "amaranth": ("build",),
    "amaranth_boards": ("build",),
}
"""Optional packages, by the name they are imported by, and the extras that install them: the one
named like the command, else the first."""
DISTRIBUTIONS = {"serial": "pyserial"}
"""Packages that have another name for pip."""

INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports for a program that a closed pipe ended, as by ``... | head``."""

_log = logging.getLogger("glintfpga")


def report(error: BaseException, command: str | None = None) -> int:
    """Print what happened in a command, in one line, and return the exit code; never raises."""
    if isinstance(error, OSError):
        error = explained(error)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    unexpected = False
    if isinstance(error, GlintError):
        line, code = str(error), error.exit_code
    elif isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "glintfpga"
        line, code = f"{error.format_message()} (see {where} --help)", 2
    elif isinstance(error, click.ClickException):
        line, code = error.format_message(), 2
    elif isinstance(error, ModuleNotFoundError):
        line, code = _missing(error, command), EnvironmentProblem.exit_code
    else:
        unexpected = True
        kind = type(error).__name__
        line, code = f"unexpected {kind}: {error}; please report it with the log", 2
    line = one_line(line)
    if unexpected or _log.isEnabledFor(logging.DEBUG - 1):
        line += f" [{_log_of(error)}]"
    with contextlib.suppress(OSError):  # a stderr that is full or has no reader
        click.echo(f"error: {line}", err=True)
    return code


def _missing(error: ModuleNotFoundError, command: str | None) -> str:
    name = (error.name or "").split(".")[0]
    if name in ("", "glintfpga"):
        return f"broken installation: {error}"
    extras = EXTRAS_OF.get(name, ())
    extra = command if command in extras else next(iter(extras), None)
    target = f"'glintfpga[{extra}]'" if extra else DISTRIBUTIONS.get(name, name)
    return f"the Python package {name!r} is not installed; run: pip install {target}"


def _log_of(error: BaseException) -> str:
    """Write the traceback to a file; returns where it is, or why there is none."""
    import importlib.metadata  # a fifth of the start of every command

    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix="glintfpga-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"glintfpga {importlib.metadata.version('glintfpga')}\n")
            file.write(f"{sys.platform} Python {sys.version}\n")
            traceback.print_exception(error, file=file)
    except OSError as problem:
        with contextlib.suppress(OSError):
            if name:
                Path(name).unlink()
        return f"no log: {one_line(problem.strerror or str(problem))}"
    return f"log: {name}"
