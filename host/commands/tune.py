# SPDX-License-Identifier: MIT
"""``glintfpga tune``."""

import datetime
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glintfpga.host.commands import options
from glintfpga.host.commands.flash import chosen

if TYPE_CHECKING:
    from glintfpga.host.ports.usb import BridgePort
    from glintfpga.host.tuning.records import TunedBoard
    from glintfpga.host.tuning.search import Found

__all__ = ["command"]


@click.command("tune")
@options.port
@click.argument("bitstream", type=options.PATH, required=False)
@options.board("The board at PORT.")
@click.option(
    "--tokens",
    type=click.IntRange(2, 1_000_000_000),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="How many tokens to compare at each clock.",
)
@click.option(
    "--warmth",
    default="",
    metavar="TEXT",
    help="How warm the board is, in your words; written down with the clock.",
)
@options.load
@options.json_output
@options.verbosity
def command(
    port: str,
    bitstream: Path | None,
    board: str,
    tokens: int,
    warmth: str,
    model: Path | None,
    as_json: bool,
) -> None:
    """Find the fastest clock at which a board computes what it should.

    For each clock of its PLL, from that of the build up: the bitstream with that clock goes into
    SRAM, then the board runs its self-test and N tokens at temperature 0.8, and every CRC and
    token is compared with the integers in C. The fastest clock whose next step passed, too, is
    written down for the board's USB serial number; it is used only by flash --tuned. At the end,
    and after Ctrl-C, the board has the clock of the build again. BITSTREAM is as for flash.

    \b
    glintfpga tune /dev/ttyUSB1 --warmth "idle, on the desk, 22 C"
    glintfpga flash --tuned
    """
    from glintfpga.boards.flash.openfpgaloader import loader
    from glintfpga.firmware.blink.c_model import compile_blink
    from glintfpga.host.console.signals import tidy_end
    from glintfpga.host.models import image_of
    from glintfpga.host.tuning.board_under_test import BoardUnderTest
    from glintfpga.host.tuning.records import read_records, write_record
    from glintfpga.host.tuning.retimed_file import BuiltFile
    from glintfpga.host.tuning.search import search

    _check_warmth(warmth)
    place = _board_at(port)
    loader()  # what is missing, before anything is flashed
    compile_blink()
    read_records()
    steps: list[dict[str, Any]] = []

    def tell(clock_mhz: float, reason: str) -> None:
        steps.append({"clock_mhz": clock_mhz, "passed": not reason, "reason": reason})
        if not as_json:
            what = f"failed: {reason}" if reason else f"passed, {tokens:,} tokens equal"
            click.echo(f"{clock_mhz:g} MHz {what}")

    with tidy_end(), chosen(bitstream, board) as (path, _):
        built = BuiltFile(path, board=board)
        image = image_of(model, plan=built.manifest.plan)
        with BoardUnderTest(place, built, image, loads=model is not None) as device:
            found = search(
                built.clocks,
                flash=device.flash,
                verify=lambda clock_mhz: device.verify(clock_mhz, tokens),
                tell=tell,
            )
        record = _record(built, found, tokens, warmth)
        file = write_record(place.serial_number, record)
    if as_json:
        facts = {"serial_number": place.serial_number, **asdict(record), "steps": steps}
        click.echo(json.dumps(facts | {"file": str(file)}, indent=2))
    else:
        click.echo(_said(place.serial_number, record))


def _check_warmth(text: str) -> None:
    from glintfpga.host.tuning.records import MOST_WARMTH

    if len(text) > MOST_WARMTH or not text.isprintable():
        raise click.UsageError(
            f"--warmth must be one line of at most {MOST_WARMTH} characters, not {text!r:.60}"
        )


def _board_at(port: str) -> "BridgePort":
    """The board whose limit is looked for; it has to be one that can be found again."""
    from glintfpga.host.ports.open_port import SIMULATED, SOFTWARE, choose_port
    from glintfpga.host.ports.usb import board_at
    from glintfpga.host.tuning.records import is_serial
    from glintfpga.quant.errors import DeviceError, InputError

    name = choose_port(port)
    if name in (SIMULATED, *SOFTWARE):
        raise InputError(
            f"{name} is a simulation and has no limit to find; name the port of a board"
        )
    place = board_at(name)
    if place is None:
        raise DeviceError(
            f"{name!r} is no port of a board that is plugged in, so that none can be flashed; "
            "glintfpga doctor lists them"
        )
    if not is_serial(place.serial_number):
        raise DeviceError(
            f"the board at {name!r} has no USB serial number ({place.serial_number!r}), under "
            "which its clock would be written down; give it one by updating its debugger firmware"
        )
    return place


def _record(built: Any, found: "Found", tokens: int, warmth: str) -> "TunedBoard":
    from glintfpga.host.tuning.records import TunedBoard

    return TunedBoard(
        board=built.board.name,
        clock_mhz=found.clock_mhz,
        next_clock_mhz=found.next_clock_mhz,
        failed_clock_mhz=found.failed,
        built_clock_mhz=built.manifest.clock_mhz,
        bitstream_sha256=built.manifest.bitstream_sha256,
        tokens=tokens,
        warmth=warmth,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _said(serial_number: str, record: "TunedBoard") -> str:
    if record.clock_mhz == record.built_clock_mhz:
        return (
            f"board {serial_number}: {record.clock_mhz:g} MHz, as built; no faster clock passed "
            "with a step of margin (measured)"
        )
    return (
        f"board {serial_number}: {record.clock_mhz:g} MHz, as {record.next_clock_mhz:g} MHz passed "
        "too (measured); next: glintfpga flash --tuned"
    )
