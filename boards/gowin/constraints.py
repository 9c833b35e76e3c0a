# SPDX-License-Identifier: MIT
"""Checks that the router applied every pin constraint and every clock constraint.

The router prints nothing where a clock constraint names a port that is not in the design, and only
"not found" for such a pin. So each line of both files is looked up in the routed design.
"""

import re
from collections.abc import Mapping
from typing import Any

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.quant.errors import InputError

__all__ = ["check_constraints"]

_PAD_LINE = re.compile(r'IO_(LOC|PORT) "([^"]+)" ([^;]+);')
_CLOCK_LINE = re.compile(
    r"create_clock -name \S+ -period ([\d.]+) *\[get_(?:nets|ports) \{([^}]+)\}\]"
)
_APPLIED_CLOCK = re.compile(r"constraining clock net '[^']+' to ([\d.]+) MHz")
_LOCKED = 5
"""Strength by which a cell is bound to a place that was asked for."""
_TOLERANCE_MHZ = 0.01


def check_constraints(
    routed: Netlist, report: Mapping[str, Any], log: str, *, cst: str, sdc: str
) -> dict[str, float]:
    """Check every line of the pin and clock constraints, the texts ``cst`` and ``sdc``.

    ``report`` and ``log`` are the router's. Returns the MHz wanted of each clock for which the
    report has a path. Raises ``InputError`` that names a line which had no effect.
    """
    _check_pads(routed, cst)
    return _check_clocks(report, log, sdc)


def _lines(text: str, mark: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(mark)]


def _check_pads(routed: Netlist, cst: str) -> None:
    pads = _pads(routed)
    for line in _lines(cst, "//"):
        match = _PAD_LINE.fullmatch(line)
        if not match:
            raise InputError(f"the router ignores the constraint {line!r}: leave it out")
        kind, name, value = match.groups()
        cell = pads.get(name)
        if cell is None:
            raise InputError(f"the constraint {line!r} is for a pin that the design does not have")
        attributes = cell["attributes"]
        if kind == "LOC":
            applied = int(attributes.get("BEL_STRENGTH", "0"), 2) >= _LOCKED
        else:
            applied = f"&{value.replace(' ', '').upper()}" in attributes
        if not applied:
            raise InputError(f"the router lost the constraint {line!r}: install the pinned release")


def _pads(routed: Netlist) -> dict[str, Mapping[str, Any]]:
    """The buffer at each pin of the design, by the name that constraints use."""
    at_pad = {
        cell["connections"][port][0]: cell
        for cell in cells_of(routed).values()
        for port in ("I", "O", "IO")
        if cell["type"].endswith("BUF") and cell["connections"].get(port)
    }
    return {
        f"{name}[{number}]" if len(port["bits"]) > 1 else name: at_pad[bit]
        for name, port in routed["modules"]["top"]["ports"].items()
        for number, bit in enumerate(port["bits"])
        if bit in at_pad
    }


def _check_clocks(report: Mapping[str, Any], log: str, sdc: str) -> dict[str, float]:
    """By frequency, as the router has other names for nets."""
    applied_mhz = [float(mhz) for mhz in _APPLIED_CLOCK.findall(log)]
    asked = []
    for line in _lines(sdc, "#"):
        match = _CLOCK_LINE.fullmatch(line)
        if not match:
            raise InputError(f"the clock constraint {line!r} is of an unknown form: leave it out")
        asked.append(1000 / float(match[1]))
        nearest = min(applied_mhz, key=lambda mhz: abs(mhz - asked[-1]), default=0.0)
        if abs(nearest - asked[-1]) > _TOLERANCE_MHZ:
            raise InputError(
                f"the router lost the clock constraint {line!r}: its net or port is not in the "
                "design"
            )
        applied_mhz.remove(nearest)
    clocks = {}
    for name, item in report["fmax"].items():
        clocks[name] = round(float(item["constraint"]), 2)
        if all(abs(item["constraint"] - mhz) > _TOLERANCE_MHZ for mhz in asked):
            raise InputError(
                f"clock {name!r} is held against {clocks[name]:g} MHz, which no constraint asks "
                "for: give it one"
            )
    return clocks
