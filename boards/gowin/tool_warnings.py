# SPDX-License-Identifier: MIT
"""Warnings in the logs of the tools.

All three tools end with success after most of their warnings. Here each warning is one of three: a
fault, which ends the build; harmless, for the reason given; or else it is shown by the build.
"""

import re
from collections.abc import Sequence

from glintfpga.quant.errors import InputError

__all__ = ["complaints_of"]

_COMPLAINT = re.compile(r"^\s*(?:Lexer )?warning: *(.*)", re.IGNORECASE)
_Patterns = Sequence[tuple[str, str]]

_FAULTS: _Patterns = (
    # yosys
    (r"found logic loop", "logic that feeds back into itself has no value"),
    (r"is used but has no driver", "a signal without a source is whatever the chip makes of it"),
    (r"multiple conflicting drivers", "two sources drive one signal"),
    (r"Replacing memory .* with list of registers", "a memory became registers"),
    # nextpnr-himbaechel; the build lets it go on after timing errors, and reads fmax only
    (r"Hold/min time violation", "a signal may arrive too early, at any clock: try another --seed"),
    (r"combinational loops", "paths in a loop are not timed"),
    (r"matched no objects|does not exist in design|cell pin .* not found", "a clock is not timed"),
    (r"set_false_path .* does not do anything", "the router ignores it"),
    (r"^Invalid constraint", "the router ignores it"),
    (r"No wires found for port", "a pin is not connected"),
    (r"Failed to find a route for arc", "a pin is not connected"),
    (r"post-placement validity check failed", "two cells are at one place"),
    # gowin_pack, which marks nothing as a warning
    (r"^Invalid pip|not found in tile", "a connection is not in the bitstream"),
    (r"^unknown type", "a cell is not in the bitstream"),
    (r"^XXX .* key handle", "an attribute is not in the bitstream"),
    (r"outside the permissible range", "the PLL is set up for another frequency"),
)
_HARMLESS: _Patterns = (
    (r"SystemVerilog keyword", "a word in a library of yosys"),
    (r"^Max frequency for", "the build says it better"),
    # Of data pads that could be clocks; clocks are looked at in the netlist.
    (r"^Failed to route net .* using dedicated routing", "ordinary wires carry it"),
)


def complaints_of(tool: str, log: str) -> list[str]:
    """Warnings in a tool's log that are neither faults nor harmless, each once.

    Raises ``InputError`` for a fault. Every line of gowin_pack counts as a warning.
    """
    found: dict[str, None] = {}
    for line in log.splitlines():
        match = _COMPLAINT.match(line)
        text = match[1].strip() if match else line.strip()
        if not text or (match is None and tool != "gowin_pack"):
            continue
        for pattern, meaning in _FAULTS:
            if re.search(pattern, text):
                raise InputError(f"{tool} says {text!r}: {meaning}")
        if not any(re.search(pattern, text) for pattern, _ in _HARMLESS):
            found[f"{tool}: {text}"] = None
    return list(found)
