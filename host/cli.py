# SPDX-License-Identifier: MIT
"""The ``glintfpga`` command: loads one file of ``commands/`` and turns errors into exit codes."""

import errno
import importlib
import importlib.metadata
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from glintfpga.host.commands.options import verbosity
from glintfpga.host.text import is_plain, one_line, prepare_output
from glintfpga.quant.errors import EnvironmentProblem, GlintError

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
    "prove": "prove",
    "doctor": "doctor",
    "export": "export",
}
"""Name of a command and the module of ``commands/`` whose ``command`` it is, in help order."""

EXTRA_OF = {
    "torch": "train",
    "scipy": "train",
    "amaranth": "build",
    "amaranth_boards": "build",
    "apycula": "build",
}
"""Optional packages and the extra that installs them."""

COMPLETE = "_GLINTFPGA_COMPLETE"
"""What a shell sets to ask for its completion script, or for the words that may come next."""

INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports for a program that a closed pipe ended, as by ``... | head``."""

_log = logging.getLogger("glintfpga")


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


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"glintfpga {importlib.metadata.version('glintfpga')}")
        ctx.exit()


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
    try:
        # Not `cli.main`, which has a ladder of its own with other exit codes.
        with cli.make_context("glintfpga", list(arguments)) as context:
            cli.invoke(context)
        if sys.stdout:
            sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except GlintError as error:
        return _failed(str(error), error.exit_code, error)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "glintfpga"
        hint = f" (see {where} --help)"
        return _failed(f"{error.format_message()}{hint}", 2, error)
    except click.ClickException as error:
        return _failed(error.format_message(), 2, error)
    except ModuleNotFoundError as error:
        return _missing_module(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001
        if _is_closed_pipe(error):
            # The interpreter flushes stdout once more at exit and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return PIPE_CLOSED
        return _failed(
            f"unexpected {type(error).__name__}: {error}; please report it with the log",
            2,
            error,
            always_log=True,
        )
    return 0


def _is_closed_pipe(error: Exception) -> bool:
    if os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL:
        # So Windows calls a pipe without a reader, but also a file with a wrong name.
        return error.filename is None
    return isinstance(error, BrokenPipeError)


def _failed(message: str, code: int, error: BaseException, *, always_log: bool = False) -> int:
    line = one_line(message)
    if always_log or _log.isEnabledFor(logging.DEBUG - 1):
        line += f" [log: {_write_log(error)}]"
    click.echo(f"error: {line}", err=True)
    return code


def _missing_module(error: ModuleNotFoundError) -> int:
    name = (error.name or "").split(".")[0]
    if name in ("", "glintfpga"):
        return _failed(f"broken installation: {error}", EnvironmentProblem.exit_code, error)
    extra = EXTRA_OF.get(name)
    target = f"'glintfpga[{extra}]'" if extra else name
    return _failed(
        f"the Python package {name!r} is not installed; run: pip install {target}",
        EnvironmentProblem.exit_code,
        error,
    )


def _write_log(error: BaseException) -> str:
    handle, name = tempfile.mkstemp(prefix="glintfpga-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"glintfpga {importlib.metadata.version('glintfpga')}\n")
        file.write(f"{sys.platform} Python {sys.version}\n")
        traceback.print_exception(error, file=file)
    return name
