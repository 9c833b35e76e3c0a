# SPDX-License-Identifier: MIT
"""The ``glintfpga`` command: loads one file of ``commands/`` and catches what it raises."""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from glintfpga.host.commands.options import verbosity
from glintfpga.host.console.failure import report
from glintfpga.host.console.streams import finish_output, let_go, prepare_output
from glintfpga.host.console.text import is_plain

__all__ = ["COMMANDS", "cli", "main", "run"]

COMMANDS = {
    "chat": "chat",
    "generate": "generate",
    "show": "show",
    "build": "build",
    "flash": "flash",
    "load": "load",
    "verify": "verify",
    "bench": "bench",
    "sim": "sim",
    "quantize": "quantize",
    "eval": "evaluate",
    "train": "train",
    "merge": "merge",
    "release": "release",
    "data": "data",
    "report": "report",
    "timing": "timing",
    "tune": "tune",
    "prove": "prove",
    "doctor": "doctor",
    "export": "export",
}
"""Name of a command and the module of ``commands/`` whose ``command`` it is, in help order."""

COMPLETE = "_GLINTFPGA_COMPLETE"
"""What a shell sets to ask for its completion script, or for the words that may come next."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        folder = Path(__file__).parent / "commands"
        return [name for name, module in COMMANDS.items() if (folder / f"{module}.py").is_file()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"glintfpga.host.commands.{COMMANDS[cmd_name]}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command must be a click command, not {command!r}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # click searches for similar names among the commands that are loaded.
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"{error.message}{meant}", ctx) from error


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"glintfpga {_own_version()}")
        ctx.exit()


def _own_version() -> str:
    import importlib.metadata  # late, as in `failure`

    return importlib.metadata.version("glintfpga")


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
@verbosity
@click.pass_context
def cli(context: click.Context) -> None:
    """A 1,087-parameter byte language model on a $30 FPGA board.

    Without a board, use sim: (the compiled gateware) or ref: (integers in Python) as PORT.

    \b
    glintfpga chat
    glintfpga generate sim: --prompt "To be" --bytes 200
    glintfpga build --board tangnano20k
    """
    if is_plain():
        context.color = False
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Entry point of the console script."""
    # Only click's own `main` looks for this, which `run` goes without.
    if instruction := os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "glintfpga", COMPLETE, instruction))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; this is the only place that catches errors.

    0 done, 1 device, 2 input or usage (and unexpected errors), 3 environment, 130 Ctrl-C.
    """
    prepare_output()
    code = 0
    context: click.Context | None = None
    error: BaseException | None = None
    try:
        # Not `cli.main`, which has a ladder of its own with other exit codes.
        with cli.make_context("glintfpga", list(arguments)) as context:
            cli.invoke(context)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except SystemExit as ended:  # of a signal
        code = int(ended.code or 0)
    except (Exception, KeyboardInterrupt) as caught:  # noqa: BLE001
        error = caught
    unwritten = finish_output()
    if unwritten is not None and not (error and isinstance(unwritten, BrokenPipeError)):
        error = unwritten
    if error is not None:
        code = report(error, context.invoked_subcommand if context else None)
    for stream in (sys.stdout, sys.stderr):
        let_go(stream)
    return code
