# SPDX-License-Identifier: MIT
"""What a build is made of and how fast it is: report.json and the same as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from glintfpga.quant.errors import InputError

__all__ = [
    "check_timing",
    "count_lut_slots",
    "critical_paths",
    "fmax_of",
    "summary",
    "text",
    "utilization",
]

_SHOWN = ("LUT4", "ALU", "DFF", "BSRAM", "MULT18X18", "MULT9X9", "RAM16SDP4", "rPLL", "IOB")


def utilization(routed: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Cells used and available by type; LUT4 counts the carry cells too."""
    return {
        name: {"used": int(item["used"]), "available": int(item["available"])}
        for name, item in sorted(routed["utilization"].items())
        if item["used"] or name in _SHOWN
    }


def fmax_of(routed: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Achieved and demanded MHz of each clock. Paths through multipliers are not in it."""
    return {
        name: {
            "achieved_mhz": round(item["achieved"], 2),
            "constraint_mhz": round(item["constraint"], 2),
        }
        for name, item in sorted(routed["fmax"].items())
    }


def check_timing(routed: Mapping[str, Any]) -> None:
    """Raise InputError when a clock is too slow for its constraint."""
    for name, item in fmax_of(routed).items():
        if item["achieved_mhz"] < item["constraint_mhz"]:
            raise InputError(
                f"clock {name!r} reaches {item['achieved_mhz']:g} MHz, "
                f"{item['constraint_mhz']:g} MHz were asked for: try another --seed or a lower "
                "--clock-mhz"
            )


def critical_paths(routed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The slowest path between each pair of clocks: ends, delays in ns, cells on the way."""
    paths = []
    for item in routed["critical_paths"]:
        steps: Sequence[Mapping[str, Any]] = item["path"]
        if not steps:
            continue
        routing = sum(step["delay"] for step in steps if step["type"] == "routing")
        total = sum(step["delay"] for step in steps)
        paths.append(
            {
                "from_clock": item["from"],
                "to_clock": item["to"],
                "from": steps[0]["from"]["cell"],
                "to": steps[-1]["to"]["cell"],
                "delay_ns": round(total, 3),
                "routing_ns": round(routing, 3),
                "nets": [step["net"] for step in steps if step["type"] == "routing"],
            }
        )
    return paths


def count_lut_slots(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """LUT slots of a routed netlist: LUTs and ALUs (which share them), and route-through LUTs.

    The router's JSON report leaves out the ALUs and counts the LUTs that it put in front of lone
    registers; its log, whose line this equals, does neither.
    """
    through = sum(name.endswith("_passthrough_lut$") for name in cells)
    luts = sum(cell["type"] in ("LUT1", "LUT2", "LUT3", "LUT4") for cell in cells.values())
    alus = sum(cell["type"] == "ALU" for cell in cells.values())
    return {"logic": luts - through + alus, "route_through": through}


def summary(
    *,
    routed: Mapping[str, Any],
    cells: Mapping[str, int],
    memories: Mapping[str, Any],
    carry_heads: int,
    lut_slots: Mapping[str, int],
    steps: Sequence[Mapping[str, Any]],
    cycles: Mapping[str, Any] | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The contents of report.json.

    `routed` is the report of the router, `cells` counts cells after synthesis, `memories` gives
    depth, width and cells of each, `lut_slots` is from `count_lut_slots`, `steps` name,
    seconds and cached. `cycles` is the table of cycles a token, where the gateware has one.
    """
    used = utilization(routed)
    used["LUT4"]["used"] = lut_slots["logic"]
    return {
        "fmax": fmax_of(routed),
        "utilization": used,
        "lut_route_through": lut_slots["route_through"],
        "critical_paths": critical_paths(routed),
        "synthesized_cells": dict(cells),
        "memories": dict(memories),
        "carry_heads_repaired": carry_heads,
        "cycles": None if cycles is None else dict(cycles),
        "steps": [dict(step) for step in steps],
        "warnings": list(warnings),
    }


def text(report: Mapping[str, Any]) -> str:
    """The report as a table for people, lines of at most 80 columns."""
    lines = []
    for name, item in report["fmax"].items():
        lines.append(
            f"clock {name:<14} {item['achieved_mhz']:>8.1f} MHz reached, "
            f"{item['constraint_mhz']:g} MHz asked"
        )
    lines.append("")
    for name in _SHOWN:
        if name in report["utilization"]:
            item = report["utilization"][name]
            share = 100 * item["used"] / max(item["available"], 1)
            lines.append(f"{name:<20} {item['used']:>8} of {item['available']:>6} {share:>6.1f} %")
    for path in report["critical_paths"][:1]:
        lines += [
            "",
            f"slowest path {path['delay_ns']:.2f} ns ({path['routing_ns']:.2f} ns of it routing)",
            f"  from {path['from'][:72]}",
            f"  to   {path['to'][:72]}",
        ]
    if report["cycles"]:
        lines.append("")
        lines += [f"{name:<20} {value:>8} cycles" for name, value in report["cycles"].items()]
    lines.append("")
    for step in report["steps"]:
        note = " (cached)" if step["cached"] else ""
        lines.append(f"{step['name']:<20} {step['seconds']:>8.1f} s{note}")
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    return "\n".join(lines) + "\n"
