# SPDX-License-Identifier: MIT
"""report.json: the cells of a build, and its timing."""

from collections.abc import Mapping, Sequence
from typing import Any

from glintfpga.boards.gowin.lut4 import THROUGH

__all__ = ["count_lut_slots", "summary", "utilization"]

_SHOWN = ("LUT4", "ALU", "DFF", "BSRAM", "MULT18X18", "MULT9X9", "RAM16SDP4", "rPLL", "IOB")


def utilization(routed: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Cells used and available by type; LUT4 counts the carry cells too."""
    return {
        name: {"used": int(item["used"]), "available": int(item["available"])}
        for name, item in sorted(routed["utilization"].items())
        if item["used"] or name in _SHOWN
    }


def count_lut_slots(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """LUT slots of a routed netlist: LUTs and ALUs (which share them), and route-through LUTs.

    The router's JSON report leaves out the ALUs and counts the LUTs that it put in front of lone
    registers; its log, whose line this equals, does neither.
    """
    through = sum(name.endswith(THROUGH) for name in cells)
    luts = sum(cell["type"] in ("LUT1", "LUT2", "LUT3", "LUT4") for cell in cells.values())
    alus = sum(cell["type"] == "ALU" for cell in cells.values())
    return {"logic": luts - through + alus, "route_through": through}


def summary(
    *,
    routed: Mapping[str, Any],
    untimed_pins: Mapping[str, int],
    timing: Mapping[str, Any],
    luts: Mapping[str, int],
    cells: Mapping[str, int],
    memories: Mapping[str, Any],
    carry_heads: int,
    lut_slots: Mapping[str, int],
    steps: Sequence[Mapping[str, Any]],
    cycles: Mapping[str, Any] | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The contents of report.json.

    Parameters
    ----------
    routed
        Report of the router.
    untimed_pins
        Counts of pins to which the router gives no delay.
    timing
        Contents of timing.json.
    luts
        Counts of what `boards.gowin.lut4` changed.
    cells
        Counts of cells after synthesis.
    memories
        Depth, width and cells of each memory.
    lut_slots
        From `count_lut_slots`.
    steps
        Name, seconds and cached of each step.
    cycles
        Cycles per token, where the gateware has such a table.
    """
    used = utilization(routed)
    used["LUT4"]["used"] = lut_slots["logic"]
    return {
        "untimed_pins": dict(untimed_pins),
        "utilization": used,
        "lut_route_through": lut_slots["route_through"],
        "luts_widened": luts["widened"],
        "synthesized_cells": dict(cells),
        "memories": dict(memories),
        "carry_heads_repaired": carry_heads,
        "cycles": None if cycles is None else dict(cycles),
        "steps": [dict(step) for step in steps],
        "warnings": list(warnings),
        "timing": dict(timing),
    }
