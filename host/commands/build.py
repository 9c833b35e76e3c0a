# SPDX-License-Identifier: MIT
"""``glintfpga build``."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]

_log = logging.getLogger("glintfpga")


@click.command("build")
@click.option("--board", default="tangnano20k", show_default=True, help="The board to build for.")
@click.option(
    "--model",
    type=options.MODEL,
    metavar="NAME|PATH",
    help="Model in the bitstream; default: the shipped one. It can be replaced with load.",
)
@click.option(
    "--lanes",
    type=click.Choice(["2", "4", "8"]),
    default="4",
    show_default=True,
    callback=lambda ctx, param, value: int(value),
    help="Memory lanes that work side by side.",
)
@click.option(
    "--plan",
    type=click.Choice(["12", "9"]),
    callback=lambda ctx, param, value: value and int(value),
    help="Bits of the numbers; default: those of a .glint model, else 12.",
)
@click.option("--clock-mhz", type=float, metavar="F", help="Clock; default: the board's.")
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the placement."
)
@click.option(
    "--out", type=options.MODEL, metavar="DIR", help="Folder of the results; default: build/BOARD."
)
@options.verbosity
def command(
    board: str,
    model: Path | None,
    lanes: int,
    plan: int | None,
    clock_mhz: float | None,
    seed: int,
    out: Path | None,
) -> None:
    """Make a bitstream, with open tools from PyPI.

    Finished steps are kept: another model redoes only the last ones, and takes seconds. The
    folder gets the bitstream blink.fs, report.json and manifest.json.

    \b
    glintfpga build --board tangnano20k
    glintfpga build --model my-model.safetensors
    """
    from glintfpga.boards.build import BuildOptions, build
    from glintfpga.host.models import DEFAULT_MODEL, image_of

    image = image_of(model, plan=plan)
    name = Path(DEFAULT_MODEL if model is None else model).stem
    if name == "model" and model is not None and model.resolve().parent.name:
        name = model.resolve().parent.name
    chosen = BuildOptions(
        board=board,
        image=image.data,
        model_name=name,
        lanes=lanes,
        plan=image.model.plan.code,
        clock_mhz=clock_mhz,
        seed=seed,
        out=out,
    )
    with _shown() as progress:
        result = build(chosen, progress)
    for warning in result.warnings:
        _log.warning("warning: %s", warning)
    click.echo(result.bitstream)
    _log.info("report: %s; next: glintfpga flash", result.report)


Progress = Callable[[str, str, float, float], None]


@contextlib.contextmanager
def _shown() -> Iterator[Progress]:
    """A bar on a terminal; elsewhere one line as each step ends. Nothing with -q."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal or not _log.isEnabledFor(logging.INFO):
        yield _line_of_step
        return
    columns = (
        TextColumn("{task.fields[step]:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0, step="")

        def show(step: str, detail: str, fraction: float, seconds: float) -> None:
            bar.update(task, completed=fraction, step=step, description=detail[:60])
            if detail in ENDS:
                bar.console.print(_ended(step, detail, seconds), markup=False, highlight=False)

        yield show


ENDS = ("done", "cached")
"""What a build says of a step that is over."""


def _line_of_step(step: str, detail: str, fraction: float, seconds: float) -> None:
    if detail in ENDS:
        _log.info("%s", _ended(step, detail, seconds))


def _ended(step: str, detail: str, seconds: float) -> str:
    return f"{step:<10} {'kept' if detail == 'cached' else f'{seconds:.1f} s'}"
