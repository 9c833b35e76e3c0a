# SPDX-License-Identifier: MIT
"""Cells of a synthesized design against what the design declares.

Multipliers and memories are declared exactly: a memory that silently became flip-flops, or a
multiplier that became logic, still works and is far too large.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.quant.errors import InputError

__all__ = ["NAMES", "Resources", "check", "count"]

_BSRAM = frozenset(
    ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9", "SDP", "SDPX9", "DP", "DPX9")
)
_MULT18X18 = {"MULT18X18": 1, "MULTALU18X18": 2, "MULTADDALU18X18": 2, "MULTALU36X18": 2}
NAMES = {
    "mult18x18": "MULT18X18",
    "mult9x9": "MULT9X9",
    "bsram": "block RAMs",
    "ram16": "LUT RAMs (RAM16)",
}


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Counts of the cells that a design declares."""

    mult18x18: int = 0
    mult9x9: int = 0
    bsram: int = 0
    ram16: int = 0


def count(netlist: Netlist) -> tuple[Resources, dict[str, int]]:
    """The declared kinds, and all cells by type."""
    types = Counter(cell["type"] for cell in cells_of(netlist).values())
    types.pop("$scopeinfo", None)
    found = Resources(
        mult18x18=sum(types[name] * macros for name, macros in _MULT18X18.items()),
        mult9x9=types["MULT9X9"],
        bsram=sum(types[name] for name in _BSRAM),
        ram16=sum(number for name, number in types.items() if name.startswith("RAM16S")),
    )
    return found, dict(sorted(types.items()))


def check(netlist: Netlist, expected: Resources | None, board: Board) -> dict[str, int]:
    """Compare with ``expected``, if given, and with the chip; returns all cells by type.

    Raises ``InputError`` that names every difference, what the chip lacks, or a latch.
    """
    found, types = count(netlist)
    problems = [] if expected is None else _differences(asdict(found), asdict(expected))
    latches = sum(number for name, number in types.items() if name.startswith("DL"))
    if latches:
        problems.append(f"{latches} latches instead of none")
    if problems:
        raise InputError(
            f"synthesis made {', '.join(problems)}: a memory or multiplier was not recognized"
        )
    check_room(found, board)
    return types


def check_room(needed: Resources, board: Board) -> None:
    """Raise ``InputError`` that names what the chip lacks."""
    for key, used in asdict(needed).items():
        room = getattr(board.capacity, key)
        if used > room:
            raise InputError(
                f"the design needs {used} {NAMES[key]}, {board.name} has {room}: build with fewer "
                "lanes"
            )
    # A DSP macro holds either two wide or four narrow multipliers.
    macros = -(-needed.mult18x18 // 2) + -(-needed.mult9x9 // 4)
    if macros > board.capacity.mult18x18 // 2:
        raise InputError(
            f"the multipliers need {macros} DSP macros, {board.name} has "
            f"{board.capacity.mult18x18 // 2}: build with fewer lanes"
        )


def _differences(found: Mapping[str, int], expected: Mapping[str, int]) -> list[str]:
    return [
        f"{found[key]} {name} instead of {expected[key]}"
        for key, name in NAMES.items()
        if found[key] != expected[key]
    ]
