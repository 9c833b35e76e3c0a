# SPDX-License-Identifier: MIT
"""The circuit of a bitstream while it is extracted: cells, nets, pads.

The walk of `glintfpga.sim.gowin.decode.extract` goes from outputs to inputs. Whoever asks for the
net of a wire puts the wire on the list of those whose driver is still to be extracted.
"""

from collections.abc import Mapping

from glintfpga.boards.gowin.wires import Wire
from glintfpga.sim.gowin.decode.chip import Chip
from glintfpga.sim.gowin.decode.routing import Router
from glintfpga.sim.gowin.decode.tiles import Tile, place
from glintfpga.sim.gowin.netlist.netlist import FLOATING, Cell

__all__ = ["Circuit"]

_FIRST = FLOATING + 1


class Circuit:
    """What is known of the circuit so far."""

    def __init__(self, chip: Chip, tiles: Mapping[tuple[int, int], Tile], router: Router):
        self.chip = chip
        self.tiles = tiles
        self.router = router
        self.nets: dict[Wire, int] = {}
        self.cells: dict[str, Cell] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}
        """Input pads by the port's name."""
        self.used_pads: set[tuple[int, int, str]] = set()
        """Row, column and letter."""
        self._pending: list[Wire] = []

    def net(self, wire: Wire | int) -> int:
        """The net of a cell's output; the cell is extracted later."""
        if isinstance(wire, int):
            return wire
        if wire not in self.nets:
            self.nets[wire] = len(self.nets) + _FIRST
            self._pending.append(wire)
        return self.nets[wire]

    def new_net(self, wire: Wire) -> int:
        """The net of an output whose cell is being extracted already."""
        return self.nets.setdefault(wire, len(self.nets) + _FIRST)

    def next_output(self) -> Wire | None:
        """An output whose cell is still to be extracted; None when there is none."""
        return self._pending.pop() if self._pending else None

    def input(self, row: int, column: int, name: str) -> int:
        """The net at the input of a cell."""
        return self.net(self.router.source(row, column, name))

    def constant(self, row: int, column: int, name: str) -> int | None:
        """`LOW` or `HIGH`, None for an input that is neither."""
        source = self.router.source(row, column, name)
        return source if isinstance(source, int) else None

    def add(self, cell: Cell) -> None:
        """Add a cell; its name is its place and its bel."""
        self.cells[cell.name] = cell

    def bels_by_tile(self) -> dict[tuple[int, int], set[str]]:
        """The cells of the circuit by row and column of their tile: LUT0, DFF3, RAM16."""
        bels: dict[tuple[int, int], set[str]] = {}
        for name in self.cells:
            where, _, bel = name.partition("_")
            column, row = (int(number) for number in where[1:].split("Y"))
            bels.setdefault((row, column), set()).add(bel)
        return bels

    def named_nets(self) -> dict[str, tuple[int, ...]]:
        """Each net under the name of the wire that drives it."""
        return {
            f"{place(row, column)}/{wire}": (net,) for (row, column, wire), net in self.nets.items()
        }
