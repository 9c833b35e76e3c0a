# SPDX-License-Identifier: MIT
"""``glintfpga doctor``."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from glintfpga.host.commands import options

if TYPE_CHECKING:
    from glintfpga.host.doctor.check import Finding

__all__ = ["command"]

STYLES = {"ok": "green", "optional": "dim", "warning": "yellow", "problem": "bold red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@options.verbosity
def command(as_json: bool) -> None:
    """Look for what keeps glintfpga from working on this machine.

    Tools, packages, the board and its ports, permissions, caches and disk: a line each, and what
    to do next. Nothing is changed. Exit code 3 when there is a problem; a missing board or extra
    is a warning, and what few people need is optional.

    \b
    glintfpga doctor
    glintfpga doctor --json
    """
    from glintfpga.host.console.text import counted
    from glintfpga.host.doctor.check import Level
    from glintfpga.host.doctor.checkup import examine
    from glintfpga.host.doctor.machine import Machine
    from glintfpga.quant.errors import EnvironmentProblem

    coming = examine(Machine.here())
    findings = list(coming) if as_json else _shown(coming)
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings], indent=2))
    problems = [finding.check for finding in findings if finding.level is Level.PROBLEM]
    if problems:
        many = counted(len(problems), "problem")
        raise EnvironmentProblem(
            f"{many} ({', '.join(problems)}): follow the steps above, then run doctor again"
        )


def _shown(findings: Iterable["Finding"]) -> list["Finding"]:
    """Print each finding as it comes: its level, its name, its text; below, the next step."""
    from rich.console import Console
    from rich.text import Text

    from glintfpga.host.console.text import is_plain

    class Lines(Console):
        def on_broken_pipe(self) -> None:
            raise  # instead of an exit code of its own

    console = Lines(soft_wrap=True, highlight=False, color_system=None if is_plain() else "auto")
    done = []
    for finding in findings:
        done.append(finding)
        head = (f"{finding.level:<8} ", STYLES[finding.level])
        line = f"{finding.check:<19}{finding.text}"
        console.print(Text.assemble(head, _plain(line)))
        if finding.next_step is not None:
            step = _plain(f"{'':28}next: {finding.next_step}")
            console.print(Text(step, style="dim" if finding.level == "optional" else ""))
    return done


def _plain(text: str) -> str:
    """One line a terminal can show: names of files and devices may hold anything."""
    from glintfpga.host.console.text import ShownText

    shown = ShownText()
    line = shown.feed(text.replace("\n", " ").encode("utf-8", "backslashreplace"))
    return line + shown.finish()
