# SPDX-License-Identifier: MIT
"""The whole device as plain Verilog with constraints, for flows other than `boards.build`.

The Verilog has one module for each of the gateware and the contents of all memories in it. A plain
``synth_gowin`` makes the declared multipliers and block RAMs of it: multipliers are instances, and
every memory carries ``no_rw_check``, because yosys would else put registers and logic around the
block RAMs to give the old word when a row is read while it is written. The gateware never does so
(`hdl.primitives.memory`).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth._toolchain.yosys import YosysError, find_yosys

from glintfpga.boards.board import Board
from glintfpga.boards.build import BuildOptions
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import device_design
from glintfpga.boards.export.apio import apio_files
from glintfpga.boards.export.cells import black_boxes
from glintfpga.boards.export.readme import readme
from glintfpga.boards.export.tool_commands import tool_commands
from glintfpga.boards.gowin.steps import Steps
from glintfpga.boards.toolchain import INSTALL
from glintfpga.quant.errors import EnvironmentProblem

__all__ = ["Export", "export", "verilog_of"]

_ATTRIBUTES = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")


@dataclass(frozen=True, kw_only=True)
class Export:
    """What to write: texts by path in the folder, and what they are."""

    files: Mapping[str, str]
    facts: Mapping[str, Any]


def export(
    options: BuildOptions,
    *,
    apio: bool = False,
    progress: Callable[[float], None] = lambda done: None,
) -> Export:
    """The device that `boards.build` would build from ``options``, and a project for apio too.

    ``progress`` gets the share that is done. Raises ``InputError`` as `boards.build.build` for the
    options, ``EnvironmentProblem`` without a Yosys that writes Verilog.
    """
    board = board_of(options.board)
    clock_mhz = options.device.clock_hz / 1e6
    design = device_design(
        board=board,
        image=options.image,
        config=options.device,
        seed=options.seed,
    )
    image = options.image
    facts = {
        "board": board.name,
        "part": board.part,
        "clock_mhz": clock_mhz,
        **design.facts,
        "model": options.model_name,
        "image_sha256": None if image is None else hashlib.sha256(image).hexdigest(),
    }
    rendered = board.platform().prepare(design.top(), "top", emit_src=False).files
    progress(0.5)
    steps = Steps(design=design, board=board, clock_mhz=clock_mhz, seed=options.seed, logs=Path())
    commands = tool_commands(steps, _text(rendered["top.ys"]))
    assert design.expected is not None
    rtlil = _text(rendered["top.il"])
    files = {
        "top.v": _title(board, facts) + verilog_of(rtlil),
        "top.cst": _text(rendered["top.cst"]),
        "top.sdc": _text(rendered["top.sdc"]),
        "README.md": readme(board, facts, commands, design.expected, apio=apio),
    }
    # apio reads each .v file it finds, and brings models of the primitives.
    files |= apio_files(board, commands) if apio else {"cells.v": black_boxes(rtlil)}
    progress(1.0)
    return Export(files=files, facts=facts)


def verilog_of(rtlil: str) -> str:
    """RTLIL to Verilog, memories marked with ``no_rw_check``, by the Yosys that Amaranth finds.

    Raises ``EnvironmentProblem`` when there is none or it fails.
    """
    marked = re.sub(r"^(?=  memory )", "  attribute \\\\no_rw_check 1'1\n", rtlil, flags=re.M)
    remove = " ".join(f"-remove {name}" for name in _ATTRIBUTES)
    script = (
        f"read_rtlil <<end_of_rtlil\n{marked}\nend_of_rtlil\n"
        "proc -nomux -norom; memory_collect\n"
        f"attrmap {remove}; attrmap -modattr {remove}\n"
        "write_verilog -norename\n"
    )
    try:
        # It warns of every process that it keeps as an `always` block.
        yosys = find_yosys(lambda version: version >= (0, 40))
        return str(yosys.run(["-q", "-"], script, ignore_warnings=True))
    except YosysError as error:
        raise EnvironmentProblem(f"Yosys did not write the Verilog ({error}); {INSTALL}") from error


def _title(board: Board, facts: Mapping[str, Any]) -> str:
    return (
        f"// glintfpga: {facts['model'] or 'no model'} on the {board.title}, "
        f"{facts['lanes']} lanes, {facts['plan']}-bit numbers, {facts['clock_mhz']:g} MHz.\n"
        "// no_rw_check: no row is ever read in the cycle in which it is written.\n"
    )


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()
