# SPDX-License-Identifier: MIT
"""``glintfpga timing``."""

import json
from pathlib import Path

import click

from glintfpga.host.commands import options
from glintfpga.host.commands.report import folder_of

__all__ = ["command"]


@click.command("timing")
@click.argument("build", metavar="[BUILD_DIR]", type=options.PATH, required=False)
@options.board("Whose build, without one.")
@options.json_output
@options.verbosity
def command(build: Path | None, board: str, as_json: bool) -> None:
    """Tell how fast a build could run: the worst path of each kind, cell by cell.

    BUILD_DIR is a folder that build wrote, also one that failed for its clock; without it the last
    build in this folder, else the shipped one. Every path is in it, by the chip database's own
    delays; what these do not have is named with the value that is assumed.

    \b
    glintfpga timing
    glintfpga timing build/seed2 --json
    """
    if build is not None:
        options.refuse_given("BUILD_DIR says which build; leave out one of them.", "board")
    from glintfpga.boards.gowin.timing.report import text
    from glintfpga.host.report.clock import timing_of

    timing = timing_of(build or folder_of(board))
    click.echo(json.dumps(timing, indent=2) if as_json else text(timing), nl=as_json)
