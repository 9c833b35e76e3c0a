# SPDX-License-Identifier: MIT
"""Whether an entry of a table matters at all, from the logic around it.

An entry does not matter when no values of the nets before the cell address it, or when whatever
they are, nothing behind the cell depends on the cell's output while they do. Both are decided over
a window: cells a few levels before and behind, with all values of the nets that enter it. A window
that is too wide decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glintfpga.sim.proof.netlist import HIGH, LOW, Cell
from glintfpga.sim.proof.tables import Tables, inputs_of

__all__ = ["Cones"]

BACK, AHEAD = 4, 3
"""Levels of a window before and behind the cell."""
LEAVES = 16
"""Nets that may enter it, each value of which is tried."""

_OUTS = ("F", "SUM", "COUT", "Q", "DOUT", "DO", "DOA", "DOB")
Values = dict[int, NDArray[np.uint8]]
_NO_WIRES: Mapping[int, int] = {}


@dataclass(frozen=True)
class _Entry:
    cell: int
    address: int
    wires: Mapping[int, int | None]


class Cones:
    """The neighborhoods of the LUTs and carry cells of a netlist."""

    def __init__(self, tables: Tables):
        self._tables = tables
        self._driver: dict[int, int] = {}
        self._any_driver: dict[int, int] = {}
        self._readers: dict[int, set[int]] = {}
        self._rank = {int(cell): rank for rank, cell in enumerate(tables.order)}
        for at, cell in enumerate(tables.cells):
            for net in inputs_of(cell):
                self._readers.setdefault(net, set()).add(at)
            if cell.kind in ("LUT4", "ALU"):
                for net in _outs(cell):
                    self._driver[net] = at
            for port in _OUTS:
                self._any_driver |= dict.fromkeys(cell.ports.get(port, ()), at)
        for nets in tables.netlist.inputs.values():
            self._any_driver |= dict.fromkeys(nets, -1)
        self._pads = {net for nets in tables.netlist.outputs.values() for net in nets}

    def is_equal(self, name: str, address: int, wires: Mapping[int, int] = _NO_WIRES) -> bool:
        """Whether the entry ``address`` of a LUT's or carry cell's table is shown not to matter.

        ``wires`` are inputs (number -> net) that the table did not depend on, and are left at
        `LOW` in the netlist, but may with the entry changed. Those that come from logic behind
        the cell, or from none of this netlist, may have any value.
        """
        at = self._tables.index[name]
        entry = _Entry(at, address, {pin: self._known(at, net) for pin, net in wires.items()})
        return any(
            self._decided(entry, back, ahead)
            for back in range(1, BACK + 1)
            for ahead in range(AHEAD + 1)
        )

    def _decided(self, entry: _Entry, back: int, ahead: int) -> bool:
        behind = self._behind(entry.cell, ahead)
        if behind is None:
            return False
        window = self._before({entry.cell, *behind}, back, entry)
        cells = sorted(window, key=self._rank.__getitem__)
        inputs = {cell: self._inputs(cell, entry) for cell in cells}
        inner = {net for cell in cells for net in _outs(self._tables.cells[cell])}
        leaves = sorted({net for nets in inputs.values() for net in nets} - inner - {LOW, HIGH})
        if len(leaves) > LEAVES:
            return False
        good = self._evaluate(inputs, leaves, None)
        bad = self._evaluate(inputs, leaves, entry)
        watched = {
            net
            for cell in {entry.cell, *behind}
            for net in _outs(self._tables.cells[cell])
            if ahead == 0
            or net in self._pads
            or self._readers.get(net, set()) - behind
        }
        return all(np.array_equal(good[net], bad[net]) for net in watched)

    def _inputs(self, cell: int, entry: _Entry) -> list[int]:
        """Nets that a cell reads, with the wires of the entry; unknown ones each for itself."""
        nets = inputs_of(self._tables.cells[cell])
        if cell == entry.cell:
            for pin, net in entry.wires.items():
                nets[pin] = -1 - pin if net is None else net
        return nets

    def _known(self, at: int, net: int) -> int | None:
        """A net that cannot depend on the output of the cell within a cycle, else None."""
        if net in (LOW, HIGH):
            return net
        driver = self._any_driver.get(net)
        if driver is None or driver in self._rank and self._rank[driver] >= self._rank[at]:
            return None
        return net

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

    def _before(self, cells: set[int], levels: int, entry: _Entry) -> set[int]:
        found, edge = set(cells), set(cells)
        for _ in range(levels):
            nets = [net for cell in edge for net in self._inputs(cell, entry)]
            edge = {self._driver[net] for net in nets if net in self._driver} - found
            found |= edge
        return found

    def _evaluate(
        self, inputs: Mapping[int, list[int]], leaves: list[int], entry: _Entry | None
    ) -> Values:
        size = 1 << len(leaves)
        count = np.arange(size)
        values: Values = {LOW: np.zeros(size, np.uint8), HIGH: np.ones(size, np.uint8)}
        for number, net in enumerate(leaves):
            values[net] = (count >> number & 1).astype(np.uint8)
        for index, nets in inputs.items():
            cell = self._tables.cells[index]
            table = cell.parameters["INIT"]
            if entry is not None and index == entry.cell:
                table ^= 1 << entry.address
            bits = np.array([table >> i & 1 for i in range(16)], np.uint8)
            a, b, c, d = (values[net] for net in nets[:4])
            value = bits[a | b << 1 | c << 2 | d << 3]
            if cell.kind == "LUT4":
                values[cell.ports["F"][0]] = value
                continue
            carry = values[nets[4]]
            for net in cell.ports.get("SUM", ()):
                values[net] = value ^ carry
            for net in cell.ports.get("COUT", ()):
                values[net] = np.where(value, carry, bits[a | b << 1])
        return values


def _outs(cell: Cell) -> list[int]:
    return [net for port in ("F", "SUM", "COUT") for net in cell.ports.get(port, ())]
