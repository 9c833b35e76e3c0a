# SPDX-License-Identifier: MIT
"""Patch block RAM contents: find the signatures of `boards.gowin.bram_signatures` in a netlist and
put words in their place.

Works on the JSON netlists of yosys and nextpnr. Two kinds of cells hold memory:

- block RAM: ``INIT_RAM_00``..``INIT_RAM_3F``, 256 bits each (288 with the ninth bits). Word ``a``,
  column ``c`` of a cell that is ``w`` columns wide is bit ``a*w + c`` of their concatenation, for
  every primitive.
- LUT RAM: ``INIT_0``..``INIT_3``, one piece each. In a routed netlist the packer reads the contents
  from four LUT cells beside the RAM cell, named after it, so both are rewritten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.boards.gowin.bram_signatures import (
    CODE_MULTIPLIER,
    CODES,
    PIECE,
    MemoryContents,
    bits_of,
    pieces_of,
)
from glintfpga.quant.errors import InputError

__all__ = ["Netlist", "Placement", "cells_of", "fill_memories", "locate_memories", "read_words"]

Netlist = dict[str, Any]
"""A netlist as yosys and nextpnr write it: modules > name > cells > name > type, parameters."""

_INVERSE = pow(CODE_MULTIPLIER, -1, CODES)
_ROWS = 64


@dataclass(frozen=True)
class Placement:
    """Piece numbers in each memory cell, arrays of shape (groups, columns); 0 is unused."""

    cells: Mapping[str, NDArray[np.int64]]

    def cells_with(self, item: MemoryContents) -> list[str]:
        """Names of the cells that hold a part of one memory."""
        return [
            name
            for name, pieces in self.cells.items()
            if np.any((pieces >= item.first) & (pieces < item.first + item.size))
        ]


def cells_of(netlist: Netlist, top: str = "top") -> dict[str, Any]:
    """The cells of the flat netlist; ``InputError`` when ``top`` is not in it."""
    try:
        cells: dict[str, Any] = netlist["modules"][top]["cells"]
    except KeyError:
        raise InputError(f"the netlist has no module {top!r}: synthesize again") from None
    return cells


def locate_memories(netlist: Netlist, contents: Mapping[str, MemoryContents]) -> Placement:
    """Find every piece of ``contents`` by its signature.

    Raises ``InputError`` when a piece is missing, which means that the memory did not become block
    RAM or LUT RAM, or when a LUT RAM contains something else.
    """
    width_of = np.zeros(1 + sum(item.size for item in contents.values()), np.int64)
    for item in contents.values():
        width_of[item.first : item.first + item.size] = item.bits.shape[1]
    found = np.zeros(width_of.size, bool)
    cells: dict[str, NDArray[np.int64]] = {}
    for name, cell in cells_of(netlist).items():
        values = _values(name, cell)
        if values is None:
            continue
        pieces = values * _INVERSE % CODES
        if _is_signature(pieces, width_of):
            cells[name] = pieces
            found[pieces] = True
        elif cell["type"].startswith("RAM16"):
            raise InputError(f"LUT RAM {name!r} holds no signature: a memory was not taken out")
    for item in contents.values():
        missing = int((~found[item.first : item.first + item.size]).sum())
        if missing:
            depth, width = item.bits.shape
            raise InputError(
                f"memory {item.name!r} ({depth} x {width}) is not in memory cells, {missing} of "
                f"{item.size} pieces are missing: give it one write port and registered reads"
            )
    return Placement(cells)


def _is_signature(pieces: NDArray[np.int64], width_of: NDArray[np.int64]) -> bool:
    """Whether a cell holds signatures and nothing else.

    A ROM can hold a valid code by chance, so a column must also step through its memory.
    """
    if not pieces.any() or pieces.max() >= width_of.size:
        return False
    above, below = pieces[:-1], pieces[1:]
    pairs = (above != 0) & (below != 0)
    return bool(np.all((below - above == width_of[above])[pairs]))


def fill_memories(
    netlist: Netlist, contents: Mapping[str, MemoryContents], placement: Placement
) -> None:
    """Write the words of ``contents`` over the signatures, in place, and check by reading back."""
    table = np.zeros(1 + sum(item.size for item in contents.values()), np.int64)
    for item in contents.values():
        table[item.first : item.first + item.size] = item.values().reshape(-1)
    cells = cells_of(netlist)
    for name, pieces in placement.cells.items():
        _store(cells, name, table[pieces])
    for name, words in read_words(netlist, contents.values(), placement).items():
        if not np.array_equal(words, contents[name].bits):
            raise InputError(f"memory {name!r} reads back differently: synthesize again")


def read_words(
    netlist: Netlist, shapes: Iterable[MemoryContents], placement: Placement
) -> dict[str, NDArray[np.uint8]]:
    """The words of each memory as the netlist holds them, uint8 of shape (depth, width).

    ``shapes`` names the memories; their own words are not used. Raises ``InputError`` when two
    copies of a memory (one per read port) differ.
    """
    shapes = list(shapes)
    cells = cells_of(netlist)
    table = np.full(1 + sum(item.size for item in shapes), -1, np.int64)
    for name, pieces in placement.cells.items():
        values = _values(name, cells[name])
        assert values is not None
        used = pieces != 0
        before = table[pieces[used]]
        if np.any((before >= 0) & (before != values[used])):
            raise InputError(f"memory cell {name!r} differs from its copy: synthesize again")
        table[pieces[used]] = values[used]
    words = {}
    for item in shapes:
        values = table[item.first : item.first + item.size].reshape(item.groups, -1)
        words[item.name] = bits_of(values)[: item.bits.shape[0]]
    return words


def _values(name: str, cell: dict[str, Any]) -> NDArray[np.int64] | None:
    """Pieces of a memory cell, shape (groups, columns); None for other cells."""
    parameters = cell["parameters"]
    if cell["type"].startswith("RAM16SDP"):
        pieces = [int(parameters[key], 2) for key in sorted(parameters) if key.startswith("INIT_")]
        return np.array([pieces], np.int64)
    if "INIT_RAM_00" not in parameters:
        return None
    width = int(parameters.get("BIT_WIDTH_0") or parameters["BIT_WIDTH"], 2)
    missing = [key for key in _row_names() if key not in parameters]
    if missing:
        raise InputError(f"block RAM {name!r} has no {missing[0]}: synthesize again")
    digits = "".join(parameters[key][::-1] for key in _row_names()).replace("x", "0")
    bits = np.frombuffer(digits.encode(), np.uint8) - np.uint8(ord("0"))
    return pieces_of(bits.reshape(-1, width))


def _store(cells: dict[str, Any], name: str, pieces: NDArray[np.int64]) -> None:
    parameters = cells[name]["parameters"]
    if cells[name]["type"].startswith("RAM16SDP"):
        for column, value in enumerate(pieces[0]):
            text = f"{value:0{PIECE}b}"
            parameters[f"INIT_{column}"] = text
            if lut := cells.get(f"{name}_LUT{column}"):
                lut["parameters"]["INIT"] = text
        return
    digits = (bits_of(pieces).reshape(-1) + np.uint8(ord("0"))).tobytes().decode()
    length = len(digits) // _ROWS
    for row, key in enumerate(_row_names()):
        parameters[key] = digits[row * length : (row + 1) * length][::-1]


def _row_names() -> list[str]:
    return [f"INIT_RAM_{row:02X}" for row in range(_ROWS)]
