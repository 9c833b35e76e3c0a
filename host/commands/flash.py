# SPDX-License-Identifier: MIT
"""``glintfpga flash``."""

import logging
from importlib import resources
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command", "default_bitstream"]

_log = logging.getLogger("glintfpga")


@click.command("flash")
@click.argument("bitstream", type=options.MODEL, required=False)
@click.option("--board", default="tangnano20k", show_default=True, help="The board to write to.")
@click.option(
    "--persist", is_flag=True, help="Write the flash memory, so that it survives power-off."
)
@click.option("--serial", metavar="NUMBER", help="USB serial number, to choose among boards.")
@options.verbosity
def command(bitstream: Path | None, board: str, persist: bool, serial: str | None) -> None:
    """Load a bitstream into a board.

    BITSTREAM is a .fs file; without it the last one built in this folder, else the shipped one.
    Without --persist it is gone when the board loses power.

    \b
    glintfpga flash
    glintfpga flash build/tangnano20k/blink.fs --persist
    """
    from glintfpga.boards.board import board_of
    from glintfpga.boards.flash import flash
    from glintfpga.host.usb import warnings_of

    board_of(board)
    for line in warnings_of():
        _log.warning("%s", line)
    path = bitstream or default_bitstream(board)
    _log.info("writing %s to the %s", path, "flash memory" if persist else "FPGA")
    flash(
        path,
        board=board,
        persist=persist,
        serial_number=serial,
        progress=lambda line: _log.debug("%s", line),
    )
    _log.info("done; next: glintfpga chat")


def default_bitstream(board: str) -> Path:
    """``build/<board>/blink.fs``, else the shipped one, else ``InputError``."""
    from glintfpga.quant.errors import InputError

    built = Path("build", board, "blink.fs")
    if built.is_file():
        return built
    release = Path(str(resources.files("glintfpga.boards"))) / "release"
    shipped = sorted(release.glob(f"{board}*.fs"))
    if shipped:
        return shipped[0]
    raise InputError(f"there is no bitstream for {board!r}; run: glintfpga build --board {board}")
