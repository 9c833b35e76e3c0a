# SPDX-License-Identifier: MIT
"""``glintfpga build``."""

import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glintfpga.host.commands import options

if TYPE_CHECKING:
    from glintfpga.host.console.progress import Progress

__all__ = ["command"]

_log = logging.getLogger("glintfpga")


@click.command("build")
@options.gateware
@click.option(
    "-s", "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the placement."
)
@click.option(
    "--out", type=options.PATH, metavar="DIR", help="Folder of the results; default: build/BOARD."
)
@options.json_output
@options.verbosity
def command(
    board: str,
    model: Path | None,
    lanes: int,
    plan: int | None,
    clock_mhz: float | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Make a bitstream, with open tools from PyPI.

    Finished steps are kept: another model redoes only the last ones, and takes seconds. The
    folder gets the bitstream blink.fs, report.json, timing.json, floorplan.json and manifest.json.
    A clock that leaves less than 10 % of margin on any path is refused.

    \b
    glintfpga build --board tangnano20k
    glintfpga build --model my-model.safetensors
    """
    from glintfpga.boards.build import BuildOptions, build
    from glintfpga.boards.catalog import board_of
    from glintfpga.boards.gowin.timing.report import headline
    from glintfpga.firmware.blink.device_config import DeviceConfig
    from glintfpga.host.console.progress import counting
    from glintfpga.host.console.signals import tidy_end
    from glintfpga.host.console.text import shown_name
    from glintfpga.host.files.outputs import BUILD, Output
    from glintfpga.host.models import image_of, title_of

    target = board_of(board)
    folder = out or Path("build", target.name)
    for name, kind in BUILD.items():
        Output(path=folder / name, kind=kind, sources=[model])
    image = image_of(model, plan=plan)
    device = DeviceConfig(lanes=lanes, plan=image.model.plan, clock_hz=target.hertz(clock_mhz))
    chosen = BuildOptions(
        board=board,
        image=image.data,
        model_name=title_of(model),
        device=device,
        seed=seed,
        out=folder,
    )
    with tidy_end(), counting("build", 1.0) as show:
        result = build(chosen, partial(_show, show))
    for warning in result.warnings:
        _log.warning("warning: %s", warning)
    for line in headline(result.facts["timing"]):
        _log.info("%s", line)
    if as_json:
        names = ("bitstream", "report", "manifest")
        files = {name: str(getattr(result, name)) for name in names}
        click.echo(json.dumps({**files, "warnings": [*result.warnings]}, indent=2))
    else:
        click.echo(shown_name(result.bitstream))
    _log.info("report: %s; next: glintfpga flash", result.report)


ENDS = {"done": "{:.1f} s", "cached": "kept"}
"""Detail of a finished step, and the text shown for it."""


def _show(show: "Progress", step: str, detail: str, fraction: float, seconds: float) -> None:
    """Show the current step in the bar, and a line for each finished one."""
    from glintfpga.boards.toolchain import FIRST_RUN

    show(fraction, f"{step}: {detail}" if detail else step, phase=step)
    if detail in ENDS:
        _log.info("%-10s %s", step, ENDS[detail].format(seconds))
    elif detail.startswith(FIRST_RUN):
        _log.info("%-10s %s", step, detail)
