# SPDX-License-Identifier: MIT
"""Where a build's cells lie on the chip: floorplan.json, small enough to be drawn in a page.

    board, part     names
    columns, rows   size of the chip in tiles; tile (0, 0) is at the top left
    slots           {"BSRAM" | "DSP": {"width": tiles, "at": [[x, y], ...]}}, used or not
    kinds, blocks   what `cells` counts
    cells           [[x, y, kind, block, count], ...]; kind and block are indices
    path            slowest path between clocked cells: from, to, delay_ns and steps [{kind,
                    delay_ns, cell, type, bel, block, x, y, net, source}, ...]

A step ends at the cell it names; its kind is "clock-to-out", "logic", "wires" (then it has a net)
or "setup".

A cell belongs to the block whose signal synthesis named it after. Memories and multipliers keep
their module; logic and flip-flops at the border of two modules may carry the other one's name.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.boards.gowin.lut4 import THROUGH

__all__ = ["FLOORPLAN", "KINDS", "ROUTE_THROUGH", "block_of", "floorplan"]

FLOORPLAN = "floorplan.json"
ROUTE_THROUGH = "route-through"
"""A LUT that the router uses as a wire, in front of a lone flip-flop."""
KINDS = ("LUT", ROUTE_THROUGH, "ALU", "DFF", "BSRAM", "MULT18X18", "MULT9X9", "RAM16", "PLL", "IOB")

_BEL = re.compile(r"X(\d+)Y(\d+)/([A-Z]\w*)")
_PACKING = "DUMMY_CELL"  # parts of a multiplier that the tool reserves

_BLOCKS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"device\.machine\.core\.lane(\d+)\.", "lane {}"),
        (r"device\.machine\.core\.norm\.", "norm"),
        (r"device\.machine\.core\.(next_operand|angles|newest_rows)\.", "rope"),
        (r"device\.machine\.core\.(weighted_sum|softmax_maximum|divide)\b", "softmax"),
        (r"device\.machine\.core\.(residual|embeddings)\.", "residual"),
        (r"device\.machine\.core\.(sequencer|table|position|addresses)\.", "sequencer"),
        (r"device\.machine\.core\.sampler\.(trivium|gumbel)\b", "noise"),
        (r"device\.machine\.core\.sampler\.logit_crc\b", "logit CRC"),
        (r"device\.machine\.core\.sampler\b", "sampler"),
        (r"device\.machine\.core\.", "core"),
        (r"device\.(receiver|transmitter)\.", "UART"),
        (r"device\.service\.link\.", "link"),
        (r"device\.machine\.loader\.", "loader"),
        (r"device\.service\.", "commands"),
        (r"", "board"),
    )
)


def block_of(cell: str) -> str:
    """The block of a cell, by its name in the flat netlist; "board" for all outside the device."""
    for pattern, name in _BLOCKS:
        if match := pattern.match(cell):
            return name.format(*match.groups())
    raise AssertionError("the last pattern matches everything")


def floorplan(netlist: Netlist, timing: Mapping[str, Any], board: Board) -> dict[str, Any]:
    """Contents of floorplan.json from a routed netlist and its timing (`boards.gowin.timing`)."""
    cells = cells_of(netlist)
    counts: Counter[tuple[int, int, str, str]] = Counter()
    for name, cell in cells.items():
        bel = _BEL.match(_bel_of(cell))
        kind = _kind_of(name, cell, bel)
        if bel and kind:
            counts[int(bel[1]), int(bel[2]), kind, block_of(name)] += 1
    blocks = sorted({key[3] for key in counts})
    kinds = [kind for kind in KINDS if any(key[2] == kind for key in counts)]
    return {
        "board": board.name,
        "part": board.part,
        "columns": board.floor.columns,
        "rows": board.floor.rows,
        "slots": _slots(board),
        "kinds": kinds,
        "blocks": blocks,
        "cells": sorted(
            [x, y, kinds.index(kind), blocks.index(block), count]
            for (x, y, kind, block), count in counts.items()
        ),
        "path": _slowest_path(timing),
    }


def _slots(board: Board) -> dict[str, Any]:
    floor = board.floor
    return {
        name: {"width": width, "at": [[x, y] for y, columns in rows.items() for x in columns]}
        for name, rows, width in (
            ("BSRAM", floor.bsram, floor.BSRAM_TILES),
            ("DSP", floor.dsp, floor.DSP_TILES),
        )
    }


def _bel_of(cell: Mapping[str, Any]) -> str:
    """Place of a cell, such as ``X18Y29/LUT3``; empty for one without a place."""
    return str(cell.get("attributes", {}).get("NEXTPNR_BEL", ""))


def _kind_of(name: str, cell: Mapping[str, Any], bel: re.Match[str] | None) -> str | None:
    if bel is None or cell["type"] == _PACKING:
        return None
    if name.endswith(THROUGH):
        return ROUTE_THROUGH
    return next((kind for kind in KINDS if bel[3].startswith(kind)), None)


def _slowest_path(timing: Mapping[str, Any]) -> dict[str, Any]:
    path = timing["paths"][0]
    return {
        "from": path["from"],
        "to": path["to"],
        "delay_ns": path["delay_ns"],
        "steps": [step | {"block": block_of(step["cell"])} for step in path["steps"]],
    }
