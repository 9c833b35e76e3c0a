# SPDX-License-Identifier: MIT
"""Repair of carry chains in a routed netlist.

When the carry-in of a chain is a logic signal, the place and route tool puts a cell in front of
the chain that should pass on its input I0. A slice computes, with LUT the 16 bits at D, C, B, A:

    SUM  = LUT[D,C,B,A] ^ CIN        COUT = LUT[D,C,B,A] ? CIN : LUT[0,0,B,A]

The released tool writes LUT 0x505a, whose COUT is I0 or CIN, and CIN of the first cell is whatever
chain happens to end beside it. With C tied high, 0x000a gives COUT = I0 for every CIN. No
simulation above the bitstream shows the difference, so the repair is never left out.
"""

from typing import Any

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.quant.errors import InputError

__all__ = ["FAULTY", "REPAIRED", "repair"]

FAULTY = 0x505A
REPAIRED = 0x000A
_BITS = 16
_CONSTANT_HEADS = {"C2L", "ONE2C"}  # carry-out 0 and 1, whatever the carry-in


def repair(netlist: Netlist) -> int:
    """Repair ``netlist`` in place; returns the number of cells changed.

    Every cell that starts a chain must be of a known kind, else ``InputError`` names the cell.
    """
    repaired = 0
    for name, cell in cells_of(netlist).items():
        if cell["type"] != "ALU" or not _starts_chain(cell):
            continue
        parameters = cell["parameters"]
        if "CIN_NETTYPE" not in parameters and "RAW_ALU_LUT" not in parameters:
            if parameters.get("ALU_MODE", "").strip() in _CONSTANT_HEADS:
                continue
        elif parameters.get("CIN_NETTYPE", "").strip() == "LOGIC":
            table = int(parameters.get("RAW_ALU_LUT", "0"), 2)
            if table == REPAIRED:
                continue
            if table == FAULTY and cell["connections"].get("I0"):
                length = max(len(parameters["RAW_ALU_LUT"]), _BITS)
                parameters["RAW_ALU_LUT"] = f"{REPAIRED:0{length}b}"
                repaired += 1
                continue
        kind = {
            key: parameters[key].strip()
            for key in ("ALU_MODE", "CIN_NETTYPE", "RAW_ALU_LUT")
            if key in parameters
        }
        raise InputError(
            f"carry chain head {name!r} is of an unknown kind {kind}: this release of the place "
            "and route tool is not supported, install the pinned one"
        )
    return repaired


def _starts_chain(cell: dict[str, Any]) -> bool:
    """Whether the carry-in does not come from another cell."""
    return "CIN_NETTYPE" in cell["parameters"] or not cell["connections"].get("CIN")
