# SPDX-License-Identifier: MIT
"""The fuses that matter for a circuit, and what each of them configures.

========  =====================================================================================
logic     bit of the table of a LUT, carry cell or LUT RAM: `cell`, `parameter`, `bit` say which
memory    bit of the contents of a block RAM that something reads, likewise
mode      setting of a slice, a hard block or a pad that has a cell of the circuit
routing   of a mux that a net of the circuit goes through
========  =====================================================================================

Fuses that are not set matter too: inverted, they change the circuit as well. Inverting a fuse of
memory, or most fuses of logic, changes one bit of a parameter in the netlist (`Fuse.is_data`); for
the others use `Decoded.with_flips`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glintfpga.sim.gowin.decode.chip import BLOCK_TILES
from glintfpga.sim.gowin.decode.circuit import Circuit
from glintfpga.sim.gowin.decode.contents import positions
from glintfpga.sim.gowin.decode.fuse_kinds import Feature
from glintfpga.sim.gowin.decode.hard_cells import HardBlocks
from glintfpga.sim.gowin.decode.ram_ports import RamPorts
from glintfpga.sim.gowin.decode.tiles import place
from glintfpga.sim.gowin.netlist.netlist import LOW

__all__ = ["GROUPS", "LOGIC", "MEMORY", "MODE", "ROUTING", "Fuse", "FuseMap"]

LOGIC = "logic"
MEMORY = "memory"
MODE = "mode"
ROUTING = "routing"
GROUPS = (LOGIC, MEMORY, MODE, ROUTING)


@dataclass(frozen=True)
class Fuse:
    """One fuse that matters."""

    position: tuple[int, int]
    """Frame and column in the file, see `bitstream.Position`."""
    group: str
    """One of `GROUPS`."""
    what: str
    """The cell's name (logic, memory), or the tile and the thing in it."""
    is_set: bool
    parameter: str = ""
    """The cell's parameter in the netlist (logic, memory), and which bit of it."""
    bit: int = 0
    is_data: bool = False
    """Inverting it inverts that bit of the netlist and has no other effect.

    False for the table of a LUT with an input that its output does not depend on: a changed table
    may depend on it, and then the input is connected to the default wire there.
    """


class FuseMap:
    """Where the fuses of a circuit are, by group."""

    def __init__(self, circuit: Circuit, blocks: HardBlocks, bitmap: NDArray[np.uint8]):
        self._circuit = circuit
        self._rams = blocks.rams
        self._chip = circuit.chip
        self._bitmap = bitmap
        self._bels = circuit.bels_by_tile()
        self._blocks = {
            site.tile(number): site.kind
            for site in self._chip.sites
            if (site.row, site.column) in self._bels
            for number in range(BLOCK_TILES[site.kind])
        }

    def positions(self, group: str) -> NDArray[np.int64]:
        """All fuses of one group, shape (n, 2): frame, column."""
        return self._positions[group]

    @cached_property
    def _positions(self) -> dict[str, NDArray[np.int64]]:
        found: dict[str, list[NDArray[np.int64]]] = {group: [] for group in GROUPS}
        for row in range(self._chip.rows):
            for column in range(self._chip.columns):
                origin = np.array([self._chip.top[row], self._chip.left[column]])
                kind = self._chip.kind(row, column)
                for feature, places in zip(kind.features, kind.places, strict=True):
                    group = self._group(row, column, feature)
                    if group:
                        found[group].append(origin + places)
        rams = [ram for ram in self._rams if ram.columns]
        found[MEMORY] = [self._contents(ram) for ram in rams]
        return {
            group: np.concatenate(parts) if parts else np.empty((0, 2), np.int64)
            for group, parts in found.items()
        }

    def at(self, position: tuple[int, int]) -> Fuse | None:
        """What one fuse configures; None for one that does not matter."""
        frame, column = position
        is_set = bool(self._bitmap[position])
        if frame >= self._chip.top[-1]:
            return self._content_at(position, is_set)
        row, tile = self._chip.tile_at(frame, column)
        kind = self._chip.kind(row, tile)
        down, right = frame - self._chip.top[row], column - self._chip.left[tile]
        owner = kind.owner.get(down * kind.width + right)
        if owner is None:
            return None
        feature = kind.features[owner[0]]
        group = self._group(row, tile, feature)
        if group is None:
            return None
        if group == LOGIC:
            return self._logic(position, row, tile, feature, owner[1].bit_length() - 1, is_set)
        return Fuse(position, group, f"{place(row, tile)} {feature.name}", is_set)

    def alternatives(self, position: tuple[int, int]) -> dict[str, list[tuple[int, int]]]:
        """Other settings of a fuse's mux or slice: name -> fuses to invert.

        A mux has about ten fuses, and two or three of them select a source: most single flips give
        a combination without a meaning. Empty for fuses of other groups, and of blocks whose
        settings are not listed.
        """
        frame, column = position
        if frame >= self._chip.top[-1]:
            return {}
        row, tile = self._chip.tile_at(frame, column)
        kind = self._chip.kind(row, tile)
        top, left = self._chip.top[row], self._chip.left[tile]
        owner = kind.owner.get((frame - top) * kind.width + column - left)
        feature = kind.features[owner[0]] if owner else None
        if owner is None or feature is None or feature.meanings is None:
            return {}
        mask = self._circuit.tiles[row, tile].masks.get(owner[0], 0)
        meanings = dict(feature.meanings)
        if feature.name in kind.defaults:
            meanings[0] = kind.defaults[feature.name]
        return {
            str(meaning) or "cut off": [
                (top + down, left + right) for down, right in sorted(feature.fuses(mask ^ other))
            ]
            for other, meaning in meanings.items()
            if other != mask
        }

    def _group(self, row: int, column: int, feature: Feature) -> str | None:
        bels = self._bels.get((row, column), set())
        if feature.group in ("mux", "clock"):
            node = self._chip.node(row, column, feature.name)
            return ROUTING if node in self._circuit.router.used else None
        if feature.group == "lut":
            return LOGIC if self._table_of(bels, feature) else None
        if feature.group == "slice":
            number = int(feature.name[3:])
            owned = {f"{kind}{2 * number + at}" for kind in ("LUT", "ALU", "DFF") for at in (0, 1)}
            return MODE if owned & bels or "RAM16" in bels else None
        if feature.group == "pad":
            return MODE if (row, column, feature.name[-1]) in self._circuit.used_pads else None
        block = self._blocks.get((row, column))
        return MODE if block and feature.group.startswith(block) else None

    def _table_of(self, bels: set[str], feature: Feature) -> tuple[str, str] | None:
        """The cell and the parameter that a table belongs to."""
        number = int(feature.name[3:])
        if feature.name in bels:
            return feature.name, "INIT"
        if f"ALU{number}" in bels:
            return f"ALU{number}", "INIT"
        return ("RAM16", f"INIT_{number}") if "RAM16" in bels and number < 4 else None

    def _logic(
        self,
        position: tuple[int, int],
        row: int,
        column: int,
        feature: Feature,
        bit: int,
        is_set: bool,
    ) -> Fuse:
        table = self._table_of(self._bels[row, column], feature)
        assert table is not None
        bel, parameter = table
        cell = self._circuit.cells[f"{place(row, column)}_{bel}"]
        is_data = bel == "RAM16" or not any(
            cell.ports[f"I{at}" if cell.kind == "LUT4" else pin] == (LOW,)
            and self._circuit.constant(row, column, f"{pin}{feature.name[3:]}") is None
            for at, pin in enumerate("ABCD")
        )
        return Fuse(position, LOGIC, cell.name, is_set, parameter, bit, is_data)

    def _contents(self, ram: RamPorts) -> NDArray[np.int64]:
        frames, columns = positions(self._chip, ram.site)
        live = np.isin(np.arange(frames.size) % ram.width, list(ram.columns))
        return np.stack([frames[live], columns[live]], axis=1)

    def _content_at(self, position: tuple[int, int], is_set: bool) -> Fuse | None:
        for ram in self._rams:
            frames, columns = positions(self._chip, ram.site)
            found = np.flatnonzero((frames == position[0]) & (columns == position[1]))
            if found.size and int(found[0]) % ram.width in ram.columns:
                bit = int(found[0])
                return Fuse(position, MEMORY, ram.where, is_set, "INIT", bit, is_data=True)
        return None
