# SPDX-License-Identifier: MIT
"""Wires of the chip: one name for each electrical node, whatever its name in a tile.

A wire of the database is (row, column, name). The same piece of metal has several:

- ``N251`` is what the tile one further north calls ``N250`` of its neighbor: direction, length,
  number, and how far from its origin. At the chip's edge such a wire turns back.
- The one-hop wires N11 and S11 of a tile are one, called SN10; E11 and W11 are EW10; likewise
  N12, E12 of SN20, EW20.
- ``nodes`` of the database join clock wires and the wires between the tiles of one block.
- A long wire is a column of a segment with taps (LT...) in each row, and rows that leave it
  (LBO0 to LB01, LB11 ...).
"""

import re
from typing import Any

__all__ = ["Wire", "Wires"]

Wire = tuple[int, int, str]
"""Row, column (both from 0, at the top left), name."""

_SPAN = re.compile(r"([NESW])([128]\d)(\d)")
_STEP = {"N": (1, 0), "E": (0, -1), "S": (-1, 0), "W": (0, 1)}
_BACK = {"N": "S", "S": "N", "E": "W", "W": "E"}
_HOP = {
    f"{direction}1{number}": f"{pair}{number}0"
    for pair in ("SN", "EW")
    for direction in pair
    for number in (1, 2)
}


class Wires:
    """Names of the nodes of one chip."""

    def __init__(self, database: Any):
        self.rows: int = database.rows
        self.columns: int = database.cols
        self._parts: dict[str, tuple[str, str, int] | None] = {}
        self._alias: dict[Wire, Wire] = {}
        self.segments: list[tuple[Wire, Wire]] = []
        """Both ends of the long wires, top and bottom, as muxes of tiles name them."""
        for _, members in database.nodes.values():
            self._join(sorted(members, key=lambda wire: (len(wire[2]), wire)))
        for (_, column, number), segment in database.segments.items():
            self._join_segment(column, number, segment)

    def node(self, row: int, column: int, name: str) -> Wire:
        """The one name of the node that tile (row, column) calls ``name``."""
        parts = self._parts.get(name, ())
        if parts == ():
            match = _SPAN.fullmatch(name)
            parts = (match[1], match[2], int(match[3])) if match else None
            self._parts[name] = parts
        if parts:
            row, column, name = self._origin(row, column, *parts)
        wire = (row, column, name)
        while wire in self._alias:
            wire = self._alias[wire]
        return wire

    def _origin(self, row: int, column: int, direction: str, track: str, distance: int) -> Wire:
        down, right = _STEP[direction]
        row += down * distance
        column += right * distance
        if row < 0 or row >= self.rows:
            row = -1 - row if row < 0 else 2 * self.rows - 1 - row
            direction = _BACK[direction]
        if column < 0 or column >= self.columns:
            column = -1 - column if column < 0 else 2 * self.columns - 1 - column
            direction = _BACK[direction]
        name = direction + track
        return row, column, _HOP.get(name, name)

    def _join(self, members: list[Wire]) -> None:
        root = self.node(*members[0])
        for member in members[1:]:
            other = self.node(*member)
            if other != root:
                self._alias[other] = root

    def _join_segment(self, column: int, number: int, segment: dict[str, Any]) -> None:
        top = (segment["top_row"], column, segment["top_wire"])
        bottom = (segment["bottom_row"], column, segment["bottom_wire"])
        group = number // 4
        rows = range(segment["min_y"], segment["max_y"] + 1)
        taps = [(row, column, f"LT0{1 + group * 3}") for row in rows]
        self.segments.append((top, bottom))
        self._join([top, bottom, *taps])
        columns = range(segment["min_x"], segment["max_x"] + 1)
        for row in rows:
            self._join([(row, column, f"LBO{group}"), *((row, x, f"LB{number}1") for x in columns)])
