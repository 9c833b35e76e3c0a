# SPDX-License-Identifier: MIT
"""The timing of a build: timing.json, the same as text, and the margin that it must have.

clock_mhz, limit_mhz    what was chosen, and what every path allows
margin, margin_wanted   limit_mhz / clock_mhz - 1
grade, assumed          whose tables; what they do not have, in ns by name
left_out                how often they have nothing for a wire, by class, and nothing is assumed
skew_ns, hold_slack_ns  between clock pins; the least hold slack, by the smallest numbers
router                  the report of the place and route tool, and by how much its slowest path
                        differs when its wires are timed here
slack                   histogram of all sampled inputs: first_ns, step_ns, counts
paths                   slowest first, one of each pair of kinds: from, to, delay_ns, mhz, steps
                        [{kind, delay_ns, cell, type, bel, x, y, net, source}, ...]
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from glintfpga.boards.gowin.timing.analysis import Path, Timing
from glintfpga.quant.errors import InputError

__all__ = [
    "MARGIN",
    "ROUTER_LEAVES_OUT",
    "TIMING",
    "assumptions",
    "check_margin",
    "headline",
    "router_view",
    "source_of",
    "summary",
    "text",
]

TIMING = "timing.json"
MARGIN = 0.10
"""Least share by which every path must be faster than the clock asks."""
ROUTER_LEAVES_OUT = (
    "addresses and outputs of port B of block RAMs, LUTs that it adds in front of registers, long "
    "wires, and what hangs on a wire"
)
_TOLERANCE = 0.005
_HISTOGRAM_STEP_NS = 0.5
_BEL = re.compile(r"X(\d+)Y(\d+)/")


def summary(
    timing: Timing,
    *,
    clock_mhz: float,
    routed: Mapping[str, Any],
    sources: Mapping[str, str],
) -> dict[str, Any]:
    """The contents of timing.json.

    ``routed`` is the report of the router; ``sources`` gives file and line of signals of the
    gateware, by their names in the netlist. Raises ``InputError`` when wires that the router timed
    differ by more than 0.5 %: then either the tool or the tables are not those this was made for.
    """
    router = router_view(timing, routed)
    if router["difference"] is not None and abs(router["difference"]) > _TOLERANCE:
        raise InputError(
            f"the router's slowest path takes {router['delay_ns']:.3f} ns by its own report and "
            f"{router['recomputed_ns']:.3f} ns by the chip database: install the pinned tools"
        )
    return {
        "clock_mhz": clock_mhz,
        "limit_mhz": round(timing.limit_mhz, 2),
        "margin": math.floor(1e4 * (timing.limit_mhz / clock_mhz - 1)) / 1e4,  # never flattering
        "margin_wanted": MARGIN,
        "grade": timing.grade,
        "assumed": asdict(timing.assumed),
        "left_out": dict(sorted(timing.unknown.items())),
        "skew_ns": round(timing.skew_ns, 3),
        "hold_slack_ns": round(timing.hold_ns, 3),
        "router": router,
        "slack": _histogram(timing, clock_mhz),
        "paths": [_path(path, timing, sources) for path in timing.worst().values()],
    }


def check_margin(timing: Mapping[str, Any]) -> None:
    """Raise ``InputError`` when the clock leaves less than MARGIN, with the path that does."""
    if timing["margin"] >= timing["margin_wanted"]:
        return
    path = timing["paths"][0]
    first, last = path["steps"][0], path["steps"][-1]
    raise InputError(
        f"the clock of {timing['clock_mhz']:g} MHz has {100 * timing['margin']:.1f} % of margin, "
        f"{100 * timing['margin_wanted']:g} % are wanted: a path from {path['from']} to "
        f"{path['to']}, {first['cell']} to {last['cell']}, allows {path['mhz']:.1f} MHz; try "
        "another --seed or a lower --clock-mhz"
    )


def router_view(timing: Timing, routed: Mapping[str, Any]) -> dict[str, Any]:
    """The router's slowest path between clocked cells, and the same with its wires timed here.

    Without what the router leaves out: long wires, and loads on a wire.
    """
    paths = [
        path["path"]
        for path in routed["critical_paths"]
        if path["path"] and "async" not in path["from"] and "async" not in path["to"]
    ]
    limits = [item["achieved"] for item in routed["fmax"].values()]
    view: dict[str, Any] = {
        "limit_mhz": round(min(limits), 2) if limits else None,
        "delay_ns": None,
        "recomputed_ns": None,
        "difference": None,
    }
    if not paths:
        return view
    path = max(paths, key=lambda steps: sum(step["delay"] for step in steps))
    delay = sum(step["delay"] for step in path)
    recomputed = sum(
        timing.wires((step["to"]["cell"], step["to"]["port"])).hops
        if step["type"] == "routing"
        else step["delay"]
        for step in path
    )
    return view | {
        "delay_ns": round(delay, 3),
        "recomputed_ns": round(recomputed, 3),
        "difference": round(recomputed / delay - 1, 5),
    }


def source_of(net: str, sources: Mapping[str, str]) -> str | None:
    """File and line of the signal that a net or cell was named after, else of its module."""
    name = re.sub(r"\[\d+\]$", "", net)
    while name:
        if name in sources:
            return sources[name]
        name = name[: max(name.rfind("_"), name.rfind("."), 0)]
    return None


def _histogram(timing: Timing, clock_mhz: float) -> dict[str, Any]:
    period = 1e3 / clock_mhz
    slots = Counter(
        math.floor((period - timing.skew_ns - max(end.delay_ns.values())) / _HISTOGRAM_STEP_NS)
        for end in timing.endpoints
    )
    first = min(slots)
    return {
        "first_ns": first * _HISTOGRAM_STEP_NS,
        "step_ns": _HISTOGRAM_STEP_NS,
        "counts": [slots[at] for at in range(first, max(slots) + 1)],
    }


def _path(path: Path, timing: Timing, sources: Mapping[str, str]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    for step in path.steps:
        cell = timing.cell(step.cell)
        bel = str(cell["attributes"].get("NEXTPNR_BEL", ""))
        place = _BEL.match(bel)
        source = source_of(step.net or step.cell, sources)
        steps.append(
            {
                "kind": step.kind,
                "delay_ns": round(step.delay_ns, 3),
                "cell": step.cell,
                "port": step.port,
                "type": cell["type"],
                "bel": bel,
                "x": int(place[1]) if place else 0,
                "y": int(place[2]) if place else 0,
            }
            | ({"net": step.net} if step.net else {})
            | ({"source": source} if source else {})
        )
    return {
        "from": path.start_kind,
        "to": path.end_kind,
        "delay_ns": round(path.delay_ns, 3),
        "wires_ns": round(sum(s.delay_ns for s in path.steps if s.kind == "wires"), 3),
        "mhz": round(1e3 / (path.delay_ns + timing.skew_ns), 2),
        "steps": steps,
    }


def assumptions(assumed: Mapping[str, float]) -> str:
    """The assumed delays as text."""
    return ", ".join(f"{name.replace('_', ' ')} {ns:g} ns" for name, ns in assumed.items())


def headline(timing: Mapping[str, Any]) -> list[str]:
    """Both clocks, and what each leaves out, in two lines."""
    margin, wanted = (100 * timing[name] for name in ("margin", "margin_wanted"))
    ours = (
        f"clock {timing['clock_mhz']:g} MHz; every path allows {timing['limit_mhz']:.1f} MHz: "
        f"{margin:.1f} % of margin, {wanted:g} % are wanted"
    )
    router = timing["router"]["limit_mhz"]
    if router is None:
        return [ours]
    theirs = f"  the router says {router:.1f} MHz: without {ROUTER_LEAVES_OUT}"
    return [ours, theirs]


def text(timing: Mapping[str, Any]) -> str:
    """The timing as a table for people, with the cells of each path."""
    left_out = sum(timing["left_out"].values())
    unknown = f"{left_out} hops of {', '.join(timing['left_out'])}" if left_out else "no wire"
    hold = (
        f"  hold: {timing['hold_slack_ns']:.3f} ns to spare by the smallest numbers of the slow "
        f"corner; clock skew {timing['skew_ns']:.3f} ns; without a number: {unknown}"
    )
    source = f"  computed from the chip database, grade {timing['grade']}; assumed: "
    lines = [*headline(timing), source + assumptions(timing["assumed"]), hold]
    for path in timing["paths"]:
        lines.append(
            f"{path['from']:>15} -> {path['to']:<15} {path['delay_ns']:7.2f} ns "
            f"{path['mhz']:6.1f} MHz, {path['wires_ns']:.2f} ns of it wires"
        )
        lines += _step_lines(path["steps"])
    return "\n".join(lines) + "\n"


def _short(name: str, most: int = 56) -> str:
    """A long name without its middle: cells of a carry chain differ at their ends."""
    return name if len(name) <= most else f"{name[:30]}...{name[33 - most :]}"


def _step_lines(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    at, lines = 0.0, []
    for step in steps:
        at += step["delay_ns"]
        if step["kind"] != "wires":
            cell, source = _short(step["cell"]), step.get("source", "")
            lines.append(f"    {at:7.2f} {step['bel']:<16} {cell:<56} {source}")
    return lines
