# SPDX-License-Identifier: MIT
"""``glintfpga flash``."""

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glintfpga.host.commands import options

if TYPE_CHECKING:
    from glintfpga.host.console.progress import Progress

__all__ = ["chosen", "command"]

_BAR = re.compile(r"(\w[\w ]*): *\[.*\] *([\d.]+) *%")
"""The flash tool's own bar; each of erasing, writing and verifying has one."""

_log = logging.getLogger("glintfpga")


@click.command("flash")
@click.argument("bitstream", type=options.PATH, required=False)
@options.board("The board to write to.")
@click.option(
    "--persist", is_flag=True, help="Write the flash memory, so that it survives power-off."
)
@click.option("--serial", metavar="NUMBER", help="USB serial number, to choose among boards.")
@click.option(
    "--tuned", is_flag=True, help="At the clock that glintfpga tune found for this board."
)
@options.json_output
@options.verbosity
def command(
    bitstream: Path | None,
    board: str,
    persist: bool,
    serial: str | None,
    tuned: bool,
    as_json: bool,
) -> None:
    """Load a bitstream into a board.

    BITSTREAM is a .fs file; without it the last one built in this folder, else the shipped one.
    Without --persist it is gone when the board loses power; with it, what was written is read
    back and compared. With --tuned the self-test is read, and where it fails the bitstream goes
    in as it was built; a tuned clock is never written to the flash memory.

    \b
    glintfpga flash
    glintfpga flash build/tangnano20k/blink.fs --persist
    glintfpga flash --tuned
    """
    if tuned and persist:
        raise click.UsageError(
            "a tuned clock is never written to the flash memory: leave out --tuned or --persist"
        )
    from glintfpga.boards.catalog import board_of
    from glintfpga.host.console.signals import tidy_end
    from glintfpga.host.ports.usb import warnings_of

    board_of(board)
    for line in warnings_of():
        _log.warning("%s", line)
    with tidy_end(), chosen(bitstream, board) as (path, title):
        if tuned:
            clock = _flash_tuned(path, board, serial)
            what = {"tuned_clock_mhz": clock}
        else:
            _write(path, title, board=board, persist=persist, serial=serial)
            what = {}
        if as_json:
            facts = {"board": board, "what": title, "persist": persist, **_facts(path, board)}
            click.echo(json.dumps(facts | what, indent=2))
    _log.info("done; next: glintfpga chat")


def _write(path: Path, title: str, *, board: str, persist: bool, serial: str | None) -> None:
    from glintfpga.boards.flash.openfpgaloader import flash
    from glintfpga.host.console.progress import counting
    from glintfpga.host.tuning.use import refuse_persist

    if persist:
        refuse_persist(path, board=board)
    _log.info("writing %s to the %s", title, "flash memory" if persist else "FPGA")
    with counting("flash", 100) as show:
        flash(
            path,
            board=board,
            persist=persist,
            serial_number=serial,
            progress=partial(_on_line, show),
        )


def _flash_tuned(path: Path, board: str, serial: str | None) -> float:
    """Flash at the clock that was found, and read the self-test; else as it was built."""
    from glintfpga.boards.manifest import manifest_beside
    from glintfpga.host.tuning.use import check_flashed, record_of, tuned_file
    from glintfpga.quant.errors import DeviceError

    serial, record = record_of(serial)
    with tuned_file(path, record, board=board) as tuned:
        manifest = manifest_beside(tuned, board=board)
        assert manifest is not None  # `tuned_file` has compared it
        write = partial(_write, board=board, persist=False, serial=serial)
        try:
            write(tuned, f"the bitstream for the board {serial} ({manifest})")
            check_flashed(serial, manifest, factor=record.rate_factor)
        except (DeviceError, KeyboardInterrupt, SystemExit) as error:
            write(path, f"the bitstream for {record.built_clock_mhz:g} MHz")
            if not isinstance(error, DeviceError):
                raise
            raise DeviceError(
                f"at {record.clock_mhz:g} MHz, which it was tuned to, {error}; it has "
                f"{record.built_clock_mhz:g} MHz now; run glintfpga tune again"
            ) from error
    return record.clock_mhz


def _facts(path: Path, board: str) -> dict[str, Any]:
    from glintfpga.boards.cache import file_digest
    from glintfpga.boards.manifest import manifest_beside

    manifest = manifest_beside(path, board=board)
    return {
        "bitstream_sha256": file_digest(path),
        "manifest": None if manifest is None else asdict(manifest),
    }


def _on_line(show: "Progress", line: str) -> None:
    _log.debug("%s", line)
    if match := _BAR.search(line):
        show(float(match[2]), match[1], phase=match[1])


@contextlib.contextmanager
def chosen(bitstream: Path | None, board: str) -> Iterator[tuple[Path, str]]:
    """The .fs file to write and what to call it.

    The named one, else ``build/<board>/blink.fs``, else the shipped one, as a temporary file. A
    file with a manifest beside it has to agree with it, a tuned one fuse by fuse. Raises
    ``InputError`` where it does not, and as ``boards.shipped.shipped``.
    """
    from glintfpga.boards.manifest import manifest_beside
    from glintfpga.boards.shipped import BITSTREAM, shipped
    from glintfpga.host.tuning.retimed_file import check_retimed

    built = Path("build", board, BITSTREAM)
    if bitstream is None and not built.exists():
        release = shipped(board)
        with release.unpacked() as path:
            yield path, f"the shipped bitstream ({release.manifest})"
        return
    path = bitstream or built
    manifest = manifest_beside(path, board=board)
    title = str(path) if bitstream else f"the last build, {path}"
    if manifest is not None and manifest.retimed is not None:
        check_retimed(path, board=board)
    yield path, f"{title} ({manifest or 'without a manifest'})"
