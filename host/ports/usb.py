# SPDX-License-Identifier: MIT
"""Which serial ports belong to a board, and which half of its USB bridge each one is."""

import logging
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from glintfpga.boards.flash.failures import BAD_FIRMWARE, UPDATE_PAGE

__all__ = [
    "BRIDGE",
    "JTAG_INTERFACE",
    "NO_FIRMWARE",
    "UART_INTERFACE",
    "BridgePort",
    "board_at",
    "bridge_ports",
    "serial_ports",
    "sibling_of",
    "uart_ports",
    "warnings_of",
]

BRIDGE = (0x0403, 0x6010)
"""USB id of the on-board bridge: an FT2232 look-alike, JTAG on interface 0, UART on 1."""
JTAG_INTERFACE = 0
UART_INTERFACE = 1
NO_FIRMWARE = (0x349B, 0x6160)
"""The bridge's chip when its debugger firmware is gone or half updated."""

_LISTINGS, _PAUSE_S = 5, 0.05
_log = logging.getLogger("glintfpga.link")


@dataclass(frozen=True, kw_only=True)
class BridgePort:
    """One serial port of a board's bridge. ``interface`` is None when the system hides it."""

    device: str
    interface: int | None
    board: str
    """Equal for the ports of one board."""
    serial_number: str


def serial_ports() -> list[ListPortInfo]:
    """All serial ports; none where the system cannot list them.

    pyserial trips over a device that goes away while it looks, so it looks again.
    """
    for _ in range(_LISTINGS):
        try:
            return list(list_ports.comports())
        except (OSError, TypeError, ValueError) as error:
            _log.debug("the serial ports cannot be listed: %r", error)
            time.sleep(_PAUSE_S)
    return []


def bridge_ports(found: Iterable[ListPortInfo] | None = None) -> list[BridgePort]:
    """The ports with the bridge's USB id, in the order of their names."""
    infos = serial_ports() if found is None else found
    ports = [_bridge_port(info) for info in infos if (info.vid, info.pid) == BRIDGE]
    return sorted(ports, key=lambda port: (len(port.device), port.device))


def uart_ports(found: Iterable[ListPortInfo] | None = None) -> list[BridgePort]:
    """The UART half of each board; where interfaces are hidden, the last port of each board."""
    chosen: dict[str, BridgePort] = {}
    for port in bridge_ports(found):
        if port.interface in (UART_INTERFACE, None):
            chosen[port.board] = port
    return list(chosen.values())


def sibling_of(name: str, found: Iterable[ListPortInfo] | None = None) -> BridgePort | None:
    """The UART half of the board whose JTAG half is ``name``; None when it is not a JTAG half."""
    ports = bridge_ports(found)
    named = next((port for port in ports if _same(port.device, name)), None)
    if named is None or named.interface != JTAG_INTERFACE:
        return None
    others = (p for p in ports if p.board == named.board and p.interface == UART_INTERFACE)
    return next(others, None)


def board_at(name: str, found: Iterable[ListPortInfo] | None = None) -> BridgePort | None:
    """The UART half of a board, by its name; None when no board is there."""
    return next((port for port in uart_ports(found) if _same(port.device, name)), None)


def warnings_of(found: Sequence[ListPortInfo] | None = None) -> list[str]:
    """Known troubles of the boards that are plugged in, one line each: what it is; what to do."""
    infos = serial_ports() if found is None else found
    update = f"update it as {UPDATE_PAGE} says"
    lines = []
    if any((info.vid, info.pid) == NO_FIRMWARE for info in infos):
        lines.append(
            f"a board shows up as 349b:6160: its debugger firmware is not running; {update}"
        )
    if any(port.serial_number.startswith(BAD_FIRMWARE) for port in bridge_ports(infos)):
        lines.append(
            f"the board's debugger firmware is {BAD_FIRMWARE}, which fails to write bitstreams and "
            f"divides the rate of the UART by four; {update}"
        )
    return lines


def _bridge_port(info: ListPortInfo) -> BridgePort:
    serial_number = info.serial_number or ""
    location, _, suffix = (info.location or "").partition(":")
    interface: int | None = None
    if match := re.search(r"\.(\d+)$", suffix):
        interface = int(match[1])
    elif (info.hwid or "").upper().startswith("USB") and serial_number[-1:] in ("A", "B"):
        # FTDI's Windows driver hides the location but ends the serial number in the channel.
        interface = "AB".index(serial_number[-1])
        serial_number = serial_number[:-1]
    elif match := re.search(r"/dev/(?:cu|tty)\.usbserial-.*([01])$", info.device):
        interface = int(match[1])
    return BridgePort(
        device=info.device,
        interface=interface,
        board=f"{location}/{serial_number}",
        serial_number=serial_number,
    )


def _same(device: str, name: str) -> bool:
    if device.upper().startswith("COM"):
        return device.upper() == name.upper().removeprefix("\\\\.\\")
    if device.replace("/dev/tty.", "/dev/cu.") == name.replace("/dev/tty.", "/dev/cu."):
        return True
    try:
        return Path(device).resolve() == Path(name).resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL in the name, links in a circle
        return False
