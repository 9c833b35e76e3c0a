# SPDX-License-Identifier: MIT
"""``glintfpga report``."""

import logging
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["PROMPT", "command", "folder_of"]

PROMPT = "The meaning of life is "

_log = logging.getLogger("glintfpga")


@click.command("report")
@click.argument("build", metavar="[BUILD_DIR]", type=options.PATH, required=False)
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option(
    "-p", "--prompt", default=PROMPT, show_default=True, help="Text whose attention is drawn."
)
@click.option(
    "--model",
    type=options.MODEL,
    metavar="NAME|PATH",
    help="The model that was built in, when it is not a shipped one.",
)
@options.board("Whose build, without one.")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@options.verbosity
def command(
    build: Path | None, output: Path, prompt: str, model: Path | None, board: str, show: bool
) -> None:
    """Draw a build as one HTML page: floorplan, use, cycles, attention, number ranges, timing.

    BUILD_DIR is a folder that build wrote; without it the last build in this folder, else the
    shipped one. The page loads nothing from anywhere.

    \b
    glintfpga report
    glintfpga report build/tangnano20k -o page.html --prompt "To be, or not" --open
    """
    if build is not None:
        options.refuse_given("BUILD_DIR says which build; leave out one of them.", "board")
    from glintfpga.host.console.progress import counting
    from glintfpga.host.files.outputs import PAGE, Output
    from glintfpga.host.report.attention import prompt_ids
    from glintfpga.host.report.inputs import read_build
    from glintfpga.host.report.page import page
    from glintfpga.host.report.subject import subject_of

    drawn = Output(path=output, kind=PAGE, sources=[model])
    with counting("report", 3) as progress:
        read = read_build(build or folder_of(board))
        ids = prompt_ids(prompt, read.spec.vocab if read.spec else 256)
        progress(1)
        subject = subject_of(read.manifest, model)
        progress(2)
        text = page(read, subject, ids)
    drawn.write(text.encode("utf-8"))
    _log.info("%s: %d KB, open it in a browser", drawn, len(text) >> 10)
    if show:
        _open(output)


def _open(page: Path) -> None:
    """Show a page in the browser; a note where there is none."""
    import webbrowser

    from glintfpga.host.console.streams import silenced

    # What opens pages may try many browsers, and complain about each.
    with silenced():
        opened = webbrowser.open(page.resolve().as_uri())
    if not opened:
        _log.warning("no browser can be started here; open the page by hand")


def folder_of(board: str) -> Path:
    """``build/<board>`` when it has a report, else the shipped one, else ``InputError``."""
    from glintfpga.boards.catalog import board_of
    from glintfpga.boards.shipped import release_folder
    from glintfpga.host.report.inputs import REPORT
    from glintfpga.quant.errors import InputError

    for folder in (Path("build", board_of(board).name), release_folder() / board):
        if (folder / REPORT).is_file():
            return folder
    raise InputError(
        f"there is no build of {board!r} here and none ships; run: glintfpga build --board {board}"
    )
