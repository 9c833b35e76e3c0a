# SPDX-License-Identifier: MIT
"""Options and arguments that several commands share."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "MODEL",
    "generation",
    "json_output",
    "lanes",
    "load",
    "optional_port",
    "output_path",
    "port",
    "verbosity",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

MODEL = click.Path(path_type=Path)
"""A .glint image or a .safetensors checkpoint; opened by ``host.models`` with our own errors."""

output_path = click.Path(path_type=Path, dir_okay=False)

TRACE = logging.DEBUG - 1
"""Level of ``-v -v``: also writes tracebacks to a log file."""

_LEVELS = {-2: logging.ERROR, -1: logging.WARNING, 0: logging.INFO, 1: logging.DEBUG, 2: TRACE}


class _Notes(logging.Handler):
    """Writes each record as one plain line on the stderr of the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


def _set_level(ctx: click.Context, param: click.Parameter, value: int) -> None:
    root = ctx.find_root()
    key = f"glintfpga.{param.name}"
    root.meta[key] = root.meta.get(key, 0) + value
    louder = root.meta.get("glintfpga.verbose", 0) - root.meta.get("glintfpga.quiet", 0)
    log = logging.getLogger("glintfpga")
    if not any(isinstance(handler, _Notes) for handler in log.handlers):
        log.addHandler(_Notes())
        log.propagate = False
    log.setLevel(_LEVELS[max(-2, min(2, louder))])


def verbosity(function: Decorated) -> Decorated:
    """-v and -q, counted, before or after the command's name."""
    for name, letter, text in (
        ("quiet", "q", "Say less; twice: errors only."),
        ("verbose", "v", "Say more; twice: also write tracebacks to a log file."),
    ):
        function = click.option(
            f"-{letter}",
            f"--{name}",
            count=True,
            expose_value=False,
            is_eager=True,
            callback=_set_level,
            help=text,
        )(function)
    return function


def port(function: Decorated) -> Decorated:
    """The PORT argument."""
    return click.argument("port", metavar="PORT")(function)


def optional_port(function: Decorated) -> Decorated:
    """The PORT argument of commands that find a board by themselves."""
    return click.argument("port", metavar="[PORT]", required=False)(function)


def load(function: Decorated) -> Decorated:
    """--load MODEL: put a model on the device first."""
    return click.option(
        "--load",
        "model",
        type=MODEL,
        metavar="MODEL",
        help="Load this .glint image or .safetensors checkpoint into the device first.",
    )(function)


def lanes(function: Decorated) -> Decorated:
    """--lanes P of the software devices."""
    return click.option(
        "--lanes",
        type=click.Choice(["2", "4", "8"]),
        default="4",
        show_default=True,
        callback=lambda ctx, param, value: int(value),
        help="Lanes of a ref: device; results depend on it.",
    )(function)


def generation(default_bytes: int) -> Callable[[Decorated], Decorated]:
    """--bytes, --temperature and --seed."""

    def decorate(function: Decorated) -> Decorated:
        for option in (
            click.option(
                "--seed",
                type=click.IntRange(0, 2**64 - 1),
                help="Seed of the noise; without it the device goes on with its stream.",
            ),
            click.option(
                "--temperature",
                type=click.FloatRange(0.0, 1023 / 256),
                default=0.8,
                show_default=True,
                help="0 is greedy; rounded to 1/256.",
            ),
            click.option(
                "--bytes",
                "count",
                type=click.IntRange(1, 2**32 - 1),
                default=default_bytes,
                show_default=True,
                metavar="N",
                help="Stop after N bytes.",
            ),
        ):
            function = option(function)
        return function

    return decorate


def json_output(function: Decorated) -> Decorated:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)
