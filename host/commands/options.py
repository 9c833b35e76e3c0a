# SPDX-License-Identifier: MIT
"""Options and arguments that several commands share."""

import contextlib
import logging
import math
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem
from click.types import StringParamType

from glintfpga.host.console.text import without_controls
from glintfpga.quant.blink.limits import DEFAULT_LANES, LANES

__all__ = [
    "MODEL",
    "PATH",
    "Decorated",
    "board",
    "gateware",
    "generation",
    "json_output",
    "lanes",
    "lanes_of",
    "load",
    "optional_port",
    "plan",
    "port",
    "refuse_given",
    "sources",
    "verbosity",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
"""A command that an option is added to."""


class _Path(click.Path):
    """A path that need not exist, but that the system accepts.

    A name that is too long, has a NUL or leads through a locked folder would fail later, anywhere.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not os.fspath(value):
            self.fail("the name is empty", param, ctx)
        try:
            path = Path(os.fsdecode(super().convert(value, param, ctx)))
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                path.lstat()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or error
            self.fail(f"{str(value)!r:.200}: {reason}", param, ctx)
        return path


class _Number(click.FloatRange):
    """A number in a range; NaN, which no comparison excludes, is refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class _Model(_Path):
    """A path or a shipped name, which a shell completes first."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from glintfpga.host.models import shipped_models

        return _beginning(incomplete, shipped_models()) or super().shell_complete(
            ctx, param, incomplete
        )


class _Port(StringParamType):
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from glintfpga.host.ports.open_port import SIMULATED, SOFTWARE
        from glintfpga.host.ports.usb import uart_ports

        boards = [port.device for port in uart_ports()]
        return _beginning(incomplete, [*boards, SIMULATED, *SOFTWARE])


class _Board(StringParamType):
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from glintfpga.boards.catalog import BOARDS

        return _beginning(incomplete, BOARDS)


def _beginning(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


PATH = _Path(path_type=Path)
"""A file or folder; opened with our own errors."""

MODEL = _Model(path_type=Path)
"""What `host.models` takes: a shipped name, a file, a folder, or - for standard input."""


class _Shown(StringParamType):
    """A model or a port."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(MODEL.convert(value, param, ctx)) if "://" not in value else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = [*MODEL.shell_complete(ctx, param, incomplete)]
        plain = [item for item in found if item.type == "plain"]
        return [*plain, *_Port().shell_complete(ctx, param, incomplete)] or found


SHOWN = _Shown()

_LANES_CHOICE = click.Choice(tuple(map(str, LANES)))

TRACE = logging.DEBUG - 1
"""Level of ``-v -v``: also writes tracebacks to a log file."""

_LEVELS = {-2: logging.ERROR, -1: logging.WARNING, 0: logging.INFO, 1: logging.DEBUG, 2: TRACE}


class _Notes(logging.Handler):
    """Writes each record as one plain line to the current stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        # click.echo would bypass the stream that puts such lines above a progress bar.
        try:
            if sys.stderr:
                print(without_controls(record.getMessage()), file=sys.stderr)
        except BrokenPipeError:
            raise
        except OSError:
            return  # on a full disk the work goes on without messages


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
    return click.argument("port", metavar="PORT", type=_Port())(function)


def optional_port(function: Decorated) -> Decorated:
    """The PORT argument of commands that find a board by themselves."""
    return click.argument("port", metavar="[PORT]", required=False, type=_Port())(function)


def board(text: str) -> Callable[[Decorated], Decorated]:
    """--board NAME."""
    return click.option(
        "--board",
        type=_Board(),
        default="tangnano20k",
        show_default=True,
        metavar="NAME",
        help=text,
    )


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
    """--lanes P of the device that ref: imitates; None when it is not given."""
    return click.option(
        "--lanes",
        type=_LANES_CHOICE,
        callback=lambda ctx, param, value: value and int(value),
        help=f"Lanes of the device that ref: imitates, {DEFAULT_LANES} by default; results depend "
        "on it. Only for ref:.",
    )(function)


def lanes_of(purpose: str) -> Callable[[Decorated], Decorated]:
    """--lanes P of what is computed without a device."""
    return click.option(
        "--lanes",
        type=_LANES_CHOICE,
        default=str(DEFAULT_LANES),
        show_default=True,
        callback=lambda ctx, param, value: int(value),
        help=purpose,
    )


def plan(purpose: str) -> Callable[[Decorated], Decorated]:
    """--plan BITS; None when it is not given."""
    from glintfpga.quant.blink.plan import DEFAULT_PLAN, PLANS

    return click.option(
        "--plan",
        type=click.Choice([str(code) for code in PLANS]),
        callback=lambda ctx, param, value: value and int(value),
        help=f"{purpose}; default: those of a .glint model, else {DEFAULT_PLAN.code}.",
    )


def refuse_given(reason: str, *names: str) -> None:
    """Refuse parameters of the running command that were given although nothing depends on them.

    ``reason`` says why, and what to do.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[-1]} has no effect here: {reason}")


def gateware(function: Decorated) -> Decorated:
    """--board, --model, --lanes, --plan and --clock-mhz of what is built."""
    for option in (
        click.option("--clock-mhz", type=float, metavar="F", help="Clock; default: the board's."),
        plan("Bits of the numbers"),
        lanes_of("Memory lanes that work side by side."),
        click.option(
            "--model",
            type=MODEL,
            metavar="NAME|PATH",
            help="Model in it; default: the shipped one. It can be replaced with load.",
        ),
        board("The board to build for."),
    ):
        function = option(function)
    return function


def generation(default_bytes: int) -> Callable[[Decorated], Decorated]:
    """-n, -t and -s."""

    def decorate(function: Decorated) -> Decorated:
        for option in (
            click.option(
                "-s",
                "--seed",
                type=click.IntRange(0, 2**64 - 1),
                help="Seed of the noise; without it the device goes on with its stream.",
            ),
            click.option(
                "-t",
                "--temperature",
                type=_Number(0.0, 1023 / 256),
                default=0.8,
                show_default=True,
                help="0 is greedy; rounded to 1/256.",
            ),
            click.option(
                "-n",
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


def sources(function: Decorated) -> Decorated:
    """--manifest, --data and --select: the text of a training."""
    place = click.Path(path_type=Path)
    for option in (
        click.option(
            "--select",
            "selection",
            type=place,
            multiple=True,
            metavar="TEXT",
            help="A text that chooses among checkpoints; default: held-out documents.",
        ),
        click.option(
            "--data",
            "folder",
            type=place,
            metavar="DIR",
            help="Where the manifest's files lie; default: beside it.",
        ),
        click.option(
            "--manifest",
            type=place,
            metavar="FILE",
            help="What to train on, see glintfpga data; default: the documentation of Python.",
        ),
    ):
        function = option(function)
    return function
