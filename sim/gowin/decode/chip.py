# SPDX-License-Identifier: MIT
"""The chip as the open tools' database describes it: tiles, wires, hard blocks, pads."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from itertools import accumulate
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.wires import Wire, Wires
from glintfpga.boards.toolchain import GOWIN_PACK
from glintfpga.sim.gowin.decode.attributes import Table
from glintfpga.sim.gowin.decode.constants import constants_of
from glintfpga.sim.gowin.decode.fuse_kinds import Kind, kind_of
from glintfpga.sim.gowin.decode.pads import PadTables, pad_sites

__all__ = ["BLOCK_TILES", "BSRAM_TILES", "DSP_TILES", "PLL_TILES", "Chip", "Site", "chip_of"]

BSRAM_TILES = 3
DSP_TILES = 9
PLL_TILES = 4
BLOCK_TILES = {"BSRAM": BSRAM_TILES, "DSP": DSP_TILES, "PLL": PLL_TILES}

# Codes 1 to 16 of a PLL's table stand for "attribute n is 0", which the packer always writes.
_PLL_ZEROS = 16


@dataclass(frozen=True)
class Site:
    """A place for a hard block."""

    kind: str
    """BSRAM, DSP or PLL."""
    row: int
    column: int
    step: int = 1
    """Its further tiles lie to the right (1), or to the left (-1)."""

    def tile(self, number: int) -> tuple[int, int]:
        """Row and column of one of its tiles."""
        return self.row, self.column + self.step * number


class Chip:
    """One chip on one board. Make it with `chip_of`: loading the database takes a second.

    Raises EnvironmentProblem when the package with the database is not installed.
    """

    def __init__(self, board: Board):
        GOWIN_PACK.version()  # EnvironmentProblem where the database is not installed
        from apycula.chipdb import load_chipdb

        name = f"{board.chip_database}.msgpack.xz"
        with resources.as_file(resources.files("apycula") / name) as path:
            self.database: Any = load_chipdb(str(path))
        self.board = board
        self.rows: int = self.database.rows
        self.columns: int = self.database.cols
        self.wires = Wires(self.database)
        self.pads = PadTables(self.database)
        self.constants = constants_of(self.database, board.pack_options)
        """By tile: fuses that every bitstream of the board has set."""
        self.pad_sites = pad_sites(self.database, board)
        self.pad_names = {site.where: site.port for site in self.pad_sites if site.port}
        """Row, column and letter of each pad that the board uses -> the port's name in a build."""
        self._kinds: dict[int, Kind] = {}
        heights = [self.database[row, 0].height for row in range(self.rows)]
        widths = [self.database[0, column].width for column in range(self.columns)]
        self.top = (0, *accumulate(heights))
        """First frame of each row of tiles; the last is their number."""
        self.left = (0, *accumulate(widths))
        self.sites = tuple(self._sites())
        self.members = frozenset(
            wire for _, members in self.database.nodes.values() for wire in members
        )
        """Wires that are joined to others, by their own name."""
        self.contents_rows = tuple(sorted(self.database.simplio_rows))
        """Rows of block RAM, in the order of their contents behind the frames of the tiles."""

    def kind(self, row: int, column: int) -> Kind:
        """The kind of a tile."""
        return self.kind_by_number(self.database.grid[row][column])

    def kind_by_number(self, number: int) -> Kind:
        """One of the kinds of tiles."""
        if number not in self._kinds:
            self._kinds[number] = kind_of(self.database, number)
        return self._kinds[number]

    def bels(self, row: int, column: int) -> Mapping[str, Any]:
        """What the database knows to be in a tile."""
        return self.database[row, column].bels

    def _sites(self) -> list[Site]:
        found = []
        for row in range(self.rows):
            for column in range(self.columns):
                for name in self.bels(row, column):
                    if name == "BSRAM":
                        found.append(Site("BSRAM", row, column))
                    elif name == "DSP":
                        found.append(Site("DSP", row, column))
                    elif name == "RPLLA":
                        step = 1 if column < self.columns // 2 else -1
                        found.append(Site("PLL", row, column, step))
        return found

    @lru_cache(maxsize=256)  # noqa: B019
    def table(self, name: str, logic: str, tiles: tuple[int, ...]) -> Table:
        """The table `name` of a block whose tiles are of the kinds `tiles`."""
        from apycula import attrids

        prefix = logic.lower()
        return Table(
            rules={
                at: rules
                for at, kind in enumerate(tiles)
                if (rules := self.database.shortval.get(kind, {}).get(name)) is not None
            },
            codes=self.database.logicinfo[logic],
            names=getattr(attrids, f"{prefix}_attrids"),
            values=getattr(attrids, f"{prefix}_attrvals"),
        )

    def block_table(self, name: str, logic: str, site: Site, count: int) -> Table:
        """The table `name` of the block at `site`."""
        kinds = []
        for number in range(count):
            row, column = site.tile(number)
            kinds.append(self.database.grid[row][column])
        return self.table(name, logic, tuple(kinds))

    @cached_property
    def global_reset(self) -> tuple[int, int, str]:
        """Row and column of the tile with the global reset, and what the database calls it."""
        return next(
            (row, column, "GSR")
            for row in range(self.rows)
            for column in range(self.columns)
            if "GSR" in self.bels(row, column)
        )

    @property
    def pll_zeros(self) -> set[int]:
        """Codes that every PLL has."""
        logic = self.database.logicinfo["PLL"]
        return {code for at in range(_PLL_ZEROS) if (code := logic.get((at, 0)))}

    def tile_at(self, frame: int, column: int) -> tuple[int, int]:
        """Row and column of the tile that has a fuse."""
        return bisect_right(self.top, frame) - 1, bisect_right(self.left, column) - 1

    def node(self, row: int, column: int, name: str) -> Wire:
        """The node that a tile calls `name`."""
        return self.wires.node(row, column, name)


_chips: dict[str, Chip] = {}
"""By name of the board."""


def chip_of(board: Board) -> Chip:
    """The chip of a board, loaded once."""
    if board.name not in _chips:
        _chips[board.name] = Chip(board)
    return _chips[board.name]
