# SPDX-License-Identifier: MIT
"""Checks that routing lost nothing: the synthesized netlist against the routed one.

The router gives every cell a place and may add cells, but every cell that went in must come out
with its type and its parameters, and with the same signal at every pin (`boards.gowin.pins`). Three
things are refused besides, about which no tool warns:

- the start value of a register that its type does not have: the packer goes by the type;
- parameters that the packer misreads, as it compares texts: a register of a
  multiplier is off for "0" and on for a zero of 32 digits, a reset is SYNC or else the other;
- a clock that comes over ordinary wires: nothing bounds its skew.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.boards.gowin.constraints import check_constraints
from glintfpga.boards.gowin.lut4 import THROUGH
from glintfpga.boards.gowin.pins import CONSTANTS, compare_pins
from glintfpga.boards.gowin.tool_warnings import complaints_of
from glintfpga.boards.gowin.untimed import untimed_pins
from glintfpga.boards.toolchain import NEXTPNR
from glintfpga.quant.errors import InputError

__all__ = ["check_routed", "compare"]

Cell = Mapping[str, Any]

_IGNORED = {*CONSTANTS, "$scopeinfo"}
_RENAMED = {
    **dict.fromkeys(("SP", "SPX9"), "SP"),
    **dict.fromkeys(("SDPB", "SDPX9B"), "SDP"),
    **dict.fromkeys(("DPB", "DPX9B"), "DP"),
    **dict.fromkeys(("pROM", "pROMX9"), "ROM"),
}
"""Types that the router writes by another name."""
_ADDED = {
    "pass_through": re.compile(rf"{re.escape(THROUGH)}$"),
    "carry": re.compile(r"_(HEAD|TAIL|DUMMY)_ALULC$"),
    "clock_entries": re.compile(r"_BUFG$"),
    "other": re.compile(r"^(GSR|PINCFG|\$PACKER_(GND|VCC)_DRV)$|_LUT[0-3]$"),
}
"""Names of cells that the router adds; ``_LUT<n>`` hold the contents of a LUT RAM."""
_EXACT = (
    (re.compile(r"(MULT|PADD|ALU54D)\w*"), re.compile(r"\w*REG\d?"), ("0", "1")),
    (re.compile(r"\w+"), re.compile(r"\w*RESET_MODE"), ("SYNC", "ASYNC")),
)
"""Types of cells, their parameters, and the only texts that the packer means."""
_BESIDE_TREE = re.compile(r"(X\d+Y\d+)/CLK\d/(?!GB)")
"""A pip into the clock of a tile that does not come from the clock tree."""
_CONSTANT_NETS = ("$PACKER_GND", "$PACKER_VCC")


def check_routed(
    synthesized: Netlist,
    routed: Netlist,
    report: Mapping[str, Any],
    log: str,
    *,
    cst: str,
    sdc: str,
) -> dict[str, Any]:
    """Check everything that the router is known to lose.

    ``synthesized`` is the netlist it read, ``routed`` the one it wrote, before any other change;
    ``report`` and ``log`` are its own, ``cst`` and ``sdc`` the texts of its constraints. Returns

    - "compared": numbers of cells and pins compared, and of cells that it added;
    - "clocks_mhz": the frequency that each clock was compared with;
    - "untimed_pins": numbers of pins without a delay, see `boards.gowin.untimed`;
    - "warnings": its warnings, to be shown.

    Raises ``InputError`` for the first cell, pin, constraint or clock that was lost.
    """
    return {
        "compared": compare(synthesized, routed),
        "clocks_mhz": check_constraints(routed, report, log, cst=cst, sdc=sdc),
        "untimed_pins": untimed_pins(routed, known=cells_of(synthesized)),
        "warnings": complaints_of(NEXTPNR.name, log),
    }


def compare(synthesized: Netlist, routed: Netlist) -> dict[str, int]:
    """Compare what the router read with what it wrote.

    Returns how many cells and pins were compared, and how many cells of each kind were added.
    Raises ``InputError`` that names the first cell that is lost, different, or from nowhere.
    """
    before = {
        name: cell
        for name, cell in cells_of(synthesized).items()
        if cell["type"] not in _IGNORED and not _is_idle_pad(cell)
    }
    after = cells_of(routed)
    for name, cell in before.items():
        _compare_cell(name, cell, after.get(name))
    added = _count_added(before, after)
    _check_clocks(routed)
    return {"cells": len(before), "pins": compare_pins(synthesized, routed, before), **added}


def _is_idle_pad(cell: Cell) -> bool:
    """An output pad that nothing drives: the router leaves it out."""
    return cell["type"] == "OBUF" and not cell["connections"].get("I")


def _compare_cell(name: str, cell: Cell, placed: Cell | None) -> None:
    kind = cell["type"]
    if placed is None:
        raise InputError(f"the router lost cell {name!r}, a {kind}: install the pinned release")
    if placed["type"] != _RENAMED.get(kind, kind):
        raise InputError(
            f"the router made a {placed['type']} of cell {name!r}, a {kind}: install the pinned "
            "release"
        )
    if not placed["attributes"].get("NEXTPNR_BEL"):
        raise InputError(f"the router gave cell {name!r} no place: install the pinned release")
    if kind.startswith("DFF"):
        _check_start(name, cell)
    _check_texts(name, cell)
    for key, value in cell["parameters"].items():
        if kind.startswith("LUT"):
            continue  # constant inputs go into the table: `boards.gowin.pins` compares it
        found = placed["parameters"].get(key)
        if found is None or _plain(value) != _plain(found):
            raise InputError(
                f"cell {name!r} has {key}={_plain(value)} and the routed one {found}: write "
                "what the chip can do, or install the pinned release"
            )


def _plain(value: str) -> str:
    """A parameter, without the blank that marks a text and leading zeros of a number."""
    text = value.strip().replace("x", "0") if set(value) <= set("01x ") else value.strip()
    return text.lstrip("0") or "0" if set(text) <= {"0", "1"} else text


def _check_start(name: str, cell: Cell) -> None:
    """A register starts as its set or reset leaves it, whatever INIT says."""
    starts = int(cell["type"].removeprefix("DFFN").removeprefix("DFF")[:1] in ("S", "P"))
    wanted = int(cell["parameters"].get("INIT", str(starts)), 2)
    if wanted != starts:
        raise InputError(
            f"register {name!r} shall start as {wanted} and a {cell['type']} starts as {starts}: "
            "give it a set or a reset"
        )


def _check_texts(name: str, cell: Cell) -> None:
    """Parameters that the packer compares as texts are what it compares them with."""
    for kind, parameter, texts in _EXACT:
        if not kind.fullmatch(cell["type"]):
            continue
        for key, value in cell["parameters"].items():
            if parameter.fullmatch(key) and value.strip() not in texts:
                raise InputError(
                    f"cell {name!r} has {key}={value.strip()!r}, which the packer takes for "
                    f"something else: write {' or '.join(texts)}"
                )


def _count_added(before: Mapping[str, Cell], after: Mapping[str, Cell]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, cell in after.items():
        if name in before or cell["type"] == "DUMMY_CELL":
            continue
        kind = next((kind for kind, form in _ADDED.items() if form.search(name)), None)
        if kind is None:
            raise InputError(
                f"the router added cell {name!r}, a {cell['type']}, for an unknown reason: "
                "install the pinned release"
            )
        counts[kind] += 1
    return {kind: counts[kind] for kind in _ADDED}


def _check_clocks(routed: Netlist) -> None:
    entries = {
        cell["attributes"]["NEXTPNR_BEL"].partition("/")[0]
        for cell in cells_of(routed).values()
        if cell["type"] == "BUFG"
    }
    for name, net in routed["modules"]["top"]["netnames"].items():
        if name in _CONSTANT_NETS:
            continue
        for pip in net["attributes"].get("ROUTING", "").split(";")[1::3]:
            match = _BESIDE_TREE.match(pip)
            if match and match[1] not in entries:
                raise InputError(
                    f"clock {name!r} reaches {match[1]} over ordinary wires and not over the "
                    "clock tree: clock the registers there by a clock of the board"
                )
