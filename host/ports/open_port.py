# SPDX-License-Identifier: MIT
"""From what a user names to an open line: a serial port, ``sim:``, ``ref:`` or ``float:``."""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.ports.transport import LinkLost, SerialTransport, Transport
from glintfpga.host.ports.usb import sibling_of, uart_ports, warnings_of
from glintfpga.quant.errors import DeviceError, InputError

__all__ = [
    "FLOAT",
    "REFERENCE",
    "SIMULATED",
    "SOFTWARE",
    "PortTransport",
    "choose_port",
    "how_timed",
    "is_port",
    "port_opener",
]

SIMULATED = "sim:"
REFERENCE, FLOAT = "ref:", "float:"
SOFTWARE = (REFERENCE, FLOAT)

_log = logging.getLogger("glintfpga")


class Port(Protocol):
    """What the devices without a serial line offer."""

    def read(self, size: int, timeout: float) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class PortTransport:
    """A simulated or software port as a `Transport`.

    Parameters:
        name, port: what the user wrote, and the port behind it.
        clock: seconds of the device's time.
        set_baud: changes the rate; None where there is no line.
        first_baud: rate of both ends now.
    """

    # Neither needs a keep-alive: time stands still, or nothing hangs on it, while nobody reads.
    real_time = False
    rate_factors: tuple[int, ...] = (1,)

    def __init__(
        self,
        *,
        name: str,
        port: Port,
        clock: Callable[[], float],
        set_baud: Callable[[int], None] | None = None,
        first_baud: int = BAUDS[0],
    ):
        self.name = name
        self.first_baud = first_baud
        self.clock = clock
        self._port = port
        self._set_baud = set_baud

    def read(self, size: int, timeout: float) -> bytes:
        try:
            return self._port.read(size, timeout)
        except DeviceError as error:
            raise LinkLost(str(error)) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except DeviceError as error:
            raise LinkLost(str(error)) from error

    def set_baud(self, baud: int) -> bool:
        if self._set_baud is not None:
            self._set_baud(baud)
        return True

    def close(self) -> None:
        self._port.close()


def choose_port(name: str | None) -> str:
    """The port to use: the named one, or a board found by its USB id, or the simulation.

    The JTAG half of a board stands for its UART half. Both choices are told to the user. Raises
    ``InputError`` when two boards are plugged in or the name is a misspelled ``sim:``.
    """
    if name is None:
        return _found_port()
    if f"{name.lower()}:" in (SIMULATED, *SOFTWARE):
        raise InputError(f"port {name!r} lacks its colon; write {name.lower()}:")
    if name in (SIMULATED, *SOFTWARE):
        return name
    if (uart := sibling_of(name)) is not None:
        _log.info("%s is the JTAG half of the board; using its UART, %s", name, uart.device)
        return uart.device
    return name


def _found_port() -> str:
    for line in warnings_of():
        _log.warning("%s", line)
    boards = uart_ports()
    if len(boards) > 1:
        names = ", ".join(board.device for board in boards)
        raise InputError(f"{len(boards)} boards are plugged in ({names}); name the port to use")
    if boards:
        _log.info("found a board at %s", boards[0].device)
        return boards[0].device
    _log.info("no board found; using sim:, the simulated one")
    return SIMULATED


def is_port(name: str) -> bool:
    """Whether a word means a port where a model might be meant; ``ref`` does, but for its colon."""
    return (
        name in (SIMULATED, *SOFTWARE)
        or (f"{name.lower()}:" in (SIMULATED, *SOFTWARE) and not Path(name).exists())
        or "://" in name
        or name.startswith("/dev/tty")
        or re.fullmatch(r"COM\d+", name, re.IGNORECASE) is not None
        or _is_device(name)
    )


def _is_device(name: str) -> bool:
    try:
        return Path(name).is_char_device()
    except (OSError, ValueError):
        return False


def how_timed(name: str, build_id: bytes) -> str:
    """How times taken on this port came about: measured, simulated, or of software.

    ``build_id`` is of the hello: the simulation can stand behind any port.
    """
    if name == SIMULATED or build_id.rstrip(b"\0") == b"sim":
        return "simulated"
    return "software" if name in SOFTWARE else "measured"


def port_opener(name: str, *, model: Path | None, lanes: int) -> Callable[[], Transport]:
    """A function that opens a port of `choose_port`, and opens it again after it was lost.

    ``model`` and ``lanes`` are what a software device starts with; other devices have their own.
    The only board may come back under another name.
    """
    if name == SIMULATED:
        return _open_simulation
    if name in SOFTWARE:
        return lambda: _open_software(name, model=model, lanes=lanes)

    only = [board.device for board in uart_ports()] == [name]

    def open_serial() -> Transport:
        device = name
        if only and len(boards := uart_ports()) == 1:
            device = boards[0].device
        if device != name:
            _log.info("the board is now at %s", device)
        return SerialTransport(name=device, baud=BAUDS[0])

    return open_serial


def _open_simulation() -> Transport:
    from glintfpga.sim.port import open_sim_port

    # A simulated line has no bridge that may not follow, and the way up costs seconds.
    baud = BAUDS[-1]
    port = open_sim_port(baud=baud)
    _log.debug("%s starts at %d baud; a board at %d", SIMULATED, baud, BAUDS[0])
    return PortTransport(
        name=SIMULATED, port=port, clock=port.clock, set_baud=port.set_baud, first_baud=baud
    )


def _open_software(name: str, *, model: Path | None, lanes: int) -> Transport:
    from glintfpga.firmware.device.software_port import open_software_port
    from glintfpga.host.models import image_of, read_float_model

    port = open_software_port(
        name.rstrip(":"),
        image=image_of(model).data,
        lanes=lanes,
        checkpoint=read_float_model(model) if name == FLOAT else None,
    )
    return PortTransport(name=name, port=port, clock=time.monotonic)
