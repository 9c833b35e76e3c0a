# SPDX-License-Identifier: MIT
"""The clock that was found, used because the user asks for it: by ``flash`` and by ``prove``."""

import contextlib
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from glintfpga.boards.manifest import Manifest, manifest_beside
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link
from glintfpga.host.ports.open_port import open_at_factor
from glintfpga.host.ports.usb import uart_ports
from glintfpga.host.tuning.board_under_test import check_clock
from glintfpga.host.tuning.records import TunedBoard, read_records
from glintfpga.host.tuning.retimed_file import BuiltFile
from glintfpga.quant.errors import DeviceError, InputError

__all__ = ["check_flashed", "record_of", "refuse_persist", "tuned_file"]

_AGAIN = "run: glintfpga tune"
_log = logging.getLogger("glintfpga")


def record_of(serial_number: str | None) -> tuple[str, TunedBoard]:
    """Serial number and record of the named board, else of the one that is plugged in, else of the
    only one that was tuned.

    Raises ``InputError`` where there is none, or more than one.
    """
    records = read_records()
    if serial_number is None:
        plugged = [board.serial_number for board in uart_ports()]
        candidates = plugged or list(records)
        if len(candidates) > 1:
            raise InputError(
                f"there are {len(candidates)} boards ({', '.join(candidates)}): name one with "
                "--serial"
            )
        serial_number = candidates[0] if candidates else None
    if not serial_number:
        raise InputError(f"no board is plugged in, and none was tuned: {_AGAIN} PORT")
    if serial_number not in records:
        raise InputError(f"no clock was found yet for the board {serial_number!r}: {_AGAIN} PORT")
    return serial_number, records[serial_number]


@contextlib.contextmanager
def tuned_file(path: Path, record: TunedBoard, *, board: str) -> Iterator[Path]:
    """The bitstream of a build at the clock of a record, with its manifest.

    Raises ``InputError`` when the record is of another bitstream or board.
    """
    manifest = manifest_beside(path, board=board)
    digest = None if manifest is None else manifest.bitstream_sha256
    if record.board != board or record.bitstream_sha256 != digest:
        raise InputError(
            f"the board was tuned with another bitstream ({record.bitstream_sha256[:16]}...) than "
            f"{str(path)!r}, whose limit is another one: {_AGAIN} PORT"
        )
    with BuiltFile(path, board=board).at(record.clock_mhz) as tuned:
        yield tuned


def refuse_persist(path: Path, *, board: str) -> None:
    """Raise ``InputError`` for a tuned bitstream, which is not for the flash memory."""
    manifest = manifest_beside(path, board=board)
    if manifest is not None and manifest.retimed is not None:
        raise InputError(
            f"{str(path)!r} is tuned to {manifest.clock_mhz:g} MHz, and a tuned clock is never "
            "written to the flash memory: leave out --persist"
        )


def check_flashed(serial_number: str, manifest: Manifest, *, factor: float) -> None:
    """Greet the board that was just flashed; ``DeviceError`` unless its self-test passed."""
    boards = [board for board in uart_ports() if board.serial_number == serial_number]
    if len(boards) != 1:
        raise DeviceError(
            f"{len(boards)} serial ports belong to the board {serial_number!r}, so that its "
            "self-test cannot be read: plug in one board"
        )
    with Client(Link(opener=partial(open_at_factor, boards[0].device, factor))) as client:
        client.connect()
        check_clock(client, manifest, manifest.clock_mhz)
    _log.info("the self-test passed at %g MHz", manifest.clock_mhz)
