# SPDX-License-Identifier: MIT
"""From what a user names to an open line: a serial port, ``sim:``, ``ref:`` or ``float:``."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from glintfpga.firmware.wire.byte_line import ByteLine
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.ports.serial_line import RATE_FACTORS, SerialLine
from glintfpga.host.ports.usb import board_at, sibling_of, uart_ports, warnings_of
from glintfpga.host.tuning.records import read_records
from glintfpga.quant.errors import InputError

__all__ = [
    "FLOAT",
    "REFERENCE",
    "SIMULATED",
    "SOFTWARE",
    "choose_port",
    "how_timed",
    "is_port",
    "open_at_factor",
    "port_opener",
]

SIMULATED = "sim:"
REFERENCE, FLOAT = "ref:", "float:"
SOFTWARE = (REFERENCE, FLOAT)

_log = logging.getLogger("glintfpga")


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


def port_opener(name: str, *, model: Path | None, lanes: int) -> Callable[[], ByteLine]:
    """A function that opens a port of `choose_port`, and opens it again after it was lost.

    ``model`` and ``lanes`` are what a software device starts with; other devices have their own.
    The only board may come back under another name.
    """
    if name == SIMULATED:
        return _open_simulation
    if name in SOFTWARE:
        return lambda: _open_software(name, model=model, lanes=lanes)

    only = [board.device for board in uart_ports()] == [name]

    def open_serial() -> ByteLine:
        device = name
        if only and len(boards := uart_ports()) == 1:
            device = boards[0].device
        if device != name:
            _log.info("the board is now at %s", device)
        return SerialLine(name=device, baud=BAUDS[0], rate_factors=_rate_factors(device))

    return open_serial


def open_at_factor(device: str, factor: float) -> ByteLine:
    """A board whose clock is so many times that of its build, and nothing else at that port."""
    return SerialLine(name=device, baud=BAUDS[0], rate_factors=(factor,))


def _rate_factors(device: str) -> tuple[float, ...]:
    """Those of any board, and that of the clock which ``glintfpga tune`` wrote down for this one.

    Only the user's own choice (``flash --tuned``) gives it that clock, so it is tried second.
    """
    first, *others = RATE_FACTORS
    board = board_at(device)
    try:
        record = None if board is None else read_records().get(board.serial_number)
    except InputError as error:
        _log.warning("%s", error)
        record = None
    tuned = () if record is None or record.rate_factor in RATE_FACTORS else (record.rate_factor,)
    return (first, *tuned, *others)


def _open_simulation() -> ByteLine:
    from glintfpga.sim.line import open_sim_line

    # A simulated line has no bridge that may not follow, and the way up costs seconds.
    baud = BAUDS[-1]
    _log.debug("%s starts at %d baud; a board at %d", SIMULATED, baud, BAUDS[0])
    return open_sim_line(baud=baud)


def _open_software(name: str, *, model: Path | None, lanes: int) -> ByteLine:
    from glintfpga.firmware.blink.software import open_software_line
    from glintfpga.host.models import image_of, read_float_model

    return open_software_line(
        name.rstrip(":"),
        image=image_of(model).data,
        lanes=lanes,
        checkpoint=read_float_model(model) if name == FLOAT else None,
    )
