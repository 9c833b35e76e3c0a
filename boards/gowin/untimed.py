# SPDX-License-Identifier: MIT
"""Pins to which the router gives no delay.

It drops every path through such a pin, from its report and while it places and routes, without a
message. Its delays are in its chip database, by cell type and pin name (``create_timing_info`` of
its Gowin part; those of multipliers we add, `boards.gowin.router_delays`); what is named otherwise,
or put in after the types were looked up, has none:

- LUT1, LUT2 and LUT3, as only LUT4 is there;
- the LUTs that it puts in front of registers after placement;
- of block RAMs with two ports the addresses and outputs of port B, and columns above 32;
- the data inputs of LUT RAMs;
- PLLs, pads, and of multipliers what is not operand or product.
"""

import re
from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.boards.gowin.lut4 import THROUGH
from glintfpga.boards.gowin.pins import CONSTANTS

__all__ = ["untimed_pins"]

_ADDRESS = "([0-9]|1[0-3])"
_DATA = "([12]?[0-9]|3[01])"
_SELECT = "[0-2]"
_TIMED = {
    kind: re.compile(pins)
    for kind, pins in {
        "LUT4": "I[0-3]|F",
        "MUX2_LUT[5-8]": "I[01]|S0|O",
        "ALU": "I[013]|CIN|COUT|SUM",
        "DFFN?[SRPC]?E?": "D|CE|Q|CLK|SET|RESET|PRESET|CLEAR",
        "RAM16SDP4": "RAD|WAD|DO|WRE|CLK",
        "MULT(9X9|18X18)": r"A\d+|B\d+|DOUT\d+",
        "SP": f"(DI|DO){_DATA}|AD{_ADDRESS}|BLKSEL{_SELECT}|CE|WRE|OCE|RESET|CLK",
        "SDP": f"(DI|DO){_DATA}|AD[AB]{_ADDRESS}|BLKSEL[AB]{_SELECT}"
        "|CE[AB]|RESET[AB]|WREA|OCEB|CLK[AB]",
        "DP": f"(DI[AB]|DOA){_DATA}|ADA{_ADDRESS}|BLKSEL[AB]{_SELECT}|(CE|OCE|WRE|RESET|CLK)[AB]",
    }.items()
}
_ELSEWHERE = re.compile(r"\w*BUF|BUFG|GSR|PINCFG|rPLL|DUMMY_CELL")
"""Pads and what belongs to the clocks: no path between registers leads through them."""


def untimed_pins(routed: Netlist, *, known: Container[str] = ()) -> dict[str, int]:
    """Numbers of connected pins without a delay, by type of cell and bus, in order.

    ``known`` are the cells that the router was given: a LUT in front of a register is timed then.
    A pin at a constant has no paths and is not counted, neither is an output that nothing reads.
    """
    cells = cells_of(routed)
    constant = {
        bit
        for cell in cells.values()
        if cell["type"] in CONSTANTS
        for bits in cell["connections"].values()
        for bit in bits
    }
    read = {
        bit
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] != "output"
        for bit in bits
    }
    counts: Counter[str] = Counter()
    for name, cell in cells.items():
        if cell["type"] in CONSTANTS or _ELSEWHERE.fullmatch(cell["type"]):
            continue
        through = name.endswith(THROUGH) and name not in known
        kind = "LUT4 in front of a register" if through else cell["type"]
        for port, bits in cell["connections"].items():
            if not through and _is_timed(cell, port):
                continue
            used = read if cell["port_directions"][port] == "output" else None
            bus = "" if cell["type"].startswith("LUT") else f" {port.rstrip('0123456789')}"
            counts[kind + bus] += sum(
                bit not in constant and (used is None or bit in used) for bit in bits
            )
    return {key: number for key, number in sorted(counts.items()) if number}


def _is_timed(cell: Mapping[str, Any], port: str) -> bool:
    return any(
        re.fullmatch(kind, cell["type"]) and pins.fullmatch(port) for kind, pins in _TIMED.items()
    )
