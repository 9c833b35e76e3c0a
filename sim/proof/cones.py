# SPDX-License-Identifier: MIT
"""Whether an entry of a table matters at all, from the logic around it.

An entry does not matter when no values of the nets before the cell address it, or when whatever
they are, nothing behind the cell depends on the cell's output while they do. Both are decided over
a window: cells a few levels before and behind, with all values of the nets that enter it. A window
that is too wide decides nothing.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from glintfpga.sim.proof.netlist import FLOATING, HIGH, LOW, Cell
from glintfpga.sim.proof.tables import Tables, inputs_of

__all__ = ["Cones"]

BACK, AHEAD = 4, 3
"""Levels of a window before and behind the cell."""
LEAVES = 16
"""Nets that may enter it, each value of which is tried."""

Values = dict[int, NDArray[np.uint8]]


class Cones:
    """The neighborhoods of the LUTs and carry cells of a netlist."""

    def __init__(self, tables: Tables):
        self._tables = tables
        self._driver: dict[int, int] = {}
        self._readers: dict[int, set[int]] = {}
        self._rank = {int(cell): rank for rank, cell in enumerate(tables.order)}
        for at, cell in enumerate(tables.cells):
            for net in inputs_of(cell):
                self._readers.setdefault(net, set()).add(at)
            if cell.kind in ("LUT4", "ALU"):
                for net in _outs(cell):
                    self._driver[net] = at
        self._pads = {net for nets in tables.netlist.outputs.values() for net in nets}

    def is_equal(self, name: str, address: int) -> bool:
        """Whether the entry ``address`` of a LUT's or carry cell's table is shown not to matter."""
        at = self._tables.index[name]
        for back in range(1, BACK + 1):
            for ahead in range(AHEAD + 1):
                if self._decided(at, address, back, ahead):
                    return True
        return False

    def _decided(self, at: int, address: int, back: int, ahead: int) -> bool:
        behind = self._behind(at, ahead)
        if behind is None:
            return False
        window = self._before({at, *behind}, back)
        cells = sorted(window, key=self._rank.__getitem__)
        inner = {net for cell in cells for net in _outs(self._tables.cells[cell])}
        leaves = self._leaves(cells, inner)
        if len(leaves) > LEAVES:
            return False
        good = self._evaluate(cells, leaves, at, None)
        bad = self._evaluate(cells, leaves, at, address)
        if ahead == 0:
            watched: Iterable[int] = _outs(self._tables.cells[at])
        else:
            watched = {
                net
                for cell in {at, *behind}
                for net in _outs(self._tables.cells[cell])
                if net in self._pads or self._readers.get(net, set()) - behind
            }
        return all(np.array_equal(good[net], bad[net]) for net in watched)

    def _behind(self, at: int, levels: int) -> set[int] | None:
        """Cells that the output reaches within so many levels."""
        found: set[int] = set()
        edge = {at}
        for _ in range(levels):
            nets = [net for cell in edge for net in _outs(self._tables.cells[cell])]
            edge = {
                reader
                for net in nets
                for reader in self._readers.get(net, ())
                if self._tables.cells[reader].kind in ("LUT4", "ALU")
            }
            found |= edge
            if len(found) > LEAVES:
                return None
        return found

    def _before(self, cells: set[int], levels: int) -> set[int]:
        found, edge = set(cells), set(cells)
        for _ in range(levels):
            nets = [net for cell in edge for net in inputs_of(self._tables.cells[cell])]
            edge = {self._driver[net] for net in nets if net in self._driver} - found
            found |= edge
        return found

    def _leaves(self, cells: list[int], inner: set[int]) -> list[int]:
        nets = {net for cell in cells for net in inputs_of(self._tables.cells[cell])}
        return sorted(nets - inner - {LOW, HIGH, FLOATING})

    def _evaluate(self, cells: list[int], leaves: list[int], at: int, flip: int | None) -> Values:
        size = 1 << len(leaves)
        count = np.arange(size)
        values: Values = {LOW: np.zeros(size, np.uint8), HIGH: np.ones(size, np.uint8)}
        values[FLOATING] = values[LOW]
        for number, net in enumerate(leaves):
            values[net] = (count >> number & 1).astype(np.uint8)
        for index in cells:
            cell = self._tables.cells[index]
            table = cell.parameters["INIT"]
            if index == at and flip is not None:
                table ^= 1 << flip
            bits = np.array([table >> i & 1 for i in range(16)], np.uint8)
            a, b, c, d = (values[net] for net in inputs_of(cell)[:4])
            entry = bits[a | b << 1 | c << 2 | d << 3]
            if cell.kind == "LUT4":
                values[cell.ports["F"][0]] = entry
                continue
            carry = values[inputs_of(cell)[4]]
            for net in cell.ports.get("SUM", ()):
                values[net] = entry ^ carry
            for net in cell.ports.get("COUT", ()):
                values[net] = np.where(entry, carry, bits[a | b << 1])
        return values


def _outs(cell: Cell) -> list[int]:
    return [net for port in ("F", "SUM", "COUT") for net in cell.ports.get(port, ())]
