# SPDX-License-Identifier: MIT
"""``glintfpga export``."""

import logging
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]

_log = logging.getLogger("glintfpga")


@click.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--apio", is_flag=True, help="Make it a project of apio 1.6.")
@options.gateware
@options.verbosity
def command(
    folder: Path,
    apio: bool,
    board: str,
    model: Path | None,
    lanes: int,
    plan: int | None,
    clock_mhz: float | None,
) -> None:
    """Write the device as plain Verilog with constraints.

    DIR gets top.v with the model inside, top.cst, top.sdc and a README.md that names the commands
    to build it; with --apio also apio.ini. What an earlier export wrote there is replaced, other
    files are left alone.

    \b
    glintfpga export verilog
    glintfpga export verilog --apio && cd verilog && apio build
    """
    from glintfpga.boards.build import BuildOptions
    from glintfpga.boards.catalog import board_of
    from glintfpga.boards.export.verilog import export
    from glintfpga.firmware.blink.device_config import DeviceConfig
    from glintfpga.host.console.progress import counting
    from glintfpga.host.console.signals import tidy_end
    from glintfpga.host.console.text import shown_name
    from glintfpga.host.files.output_folder import check, fill
    from glintfpga.host.models import image_of, title_of

    check(folder)
    image = image_of(model, plan=plan)
    device = DeviceConfig(
        lanes=lanes, plan=image.model.plan, clock_hz=board_of(board).hertz(clock_mhz)
    )
    chosen = BuildOptions(
        board=board,
        image=image.data,
        model_name=title_of(model),
        device=device,
    )
    with tidy_end(), counting("Verilog", 1) as progress:
        made = export(chosen, apio=apio, progress=progress)
    fill(folder, made.files, made.facts)
    click.echo(shown_name(folder))
    _log.info("next: the commands in %s", folder / "README.md")
