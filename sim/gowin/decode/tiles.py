# SPDX-License-Identifier: MIT
"""A tile of the bitstream: its fuses as routing, tables of LUTs, settings of slices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import Chip
from glintfpga.sim.gowin.decode.fuse_kinds import ISOLATED, Feature, Kind, Slice
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW

__all__ = ["Tile", "place", "read_tile"]

_CONSTANTS = {"VCC": HIGH, "VSS": LOW}
_ALL_ONES = 0xFFFF


@dataclass(frozen=True)
class Tile:
    """What the fuses of one tile configure."""

    masks: Mapping[int, int]
    """Set fuses by feature of its kind, where there are any."""
    edges: tuple[tuple[Wire, Wire | int], ...] = ()
    """Nodes and what drives them, another node or `LOW` or `HIGH`."""
    isolated: frozenset[str] = frozenset()
    """Ends of long wires that are cut off."""
    tables: tuple[int, ...] = ()
    """Of the LUTs."""
    slices: tuple[Slice, ...] = ()
    pads: Mapping[str, str] = field(default_factory=dict)
    """Use by name (IOBA, IOBB), of those that are used."""
    blocks: Mapping[str, frozenset[tuple[int, int]]] = field(default_factory=dict)
    """Fuses of parts of hard blocks, by table."""

    @property
    def is_ram(self) -> bool:
        """LUTs 0 to 3 are a RAM, 4 and 5 its write port."""
        return len(self.slices) > 3 and self.slices[3].mode == "RAM"

    def is_alu(self, lut: int) -> bool:
        """Whether a LUT is a carry cell."""
        return lut // 2 < min(3, len(self.slices)) and self.slices[lut // 2].mode == "ALU"


def place(row: int, column: int) -> str:
    """How messages name a tile: as the place and route tool does, from 0 at the top left."""
    return f"X{column}Y{row}"


def read_tile(chip: Chip, row: int, column: int, fuses: NDArray[np.uint8]) -> Tile:
    """Read one tile; `fuses` are its rows and columns.

    Raises InputError that names the tile and a fuse for a combination that means nothing.
    """
    kind = chip.kind(row, column)
    masks: dict[int, int] = {}
    owner = kind.owner
    for at in np.flatnonzero(fuses).tolist():
        if at not in owner:
            raise _unknown(row, column, divmod(at, kind.width), "has no known meaning")
        number, weight = owner[at]
        masks[number] = masks.get(number, 0) | weight
    if not masks and not kind.luts:
        return _BLANK
    return _meaning(chip, row, column, kind, masks)


_BLANK = Tile({})


def _meaning(chip: Chip, row: int, column: int, kind: Kind, masks: dict[int, int]) -> Tile:
    edges: list[tuple[Wire, Wire | int]] = []
    isolated = set()
    tables = [_ALL_ONES] * kind.luts
    slices = list(_blank_slices(chip, kind.number))
    pads: dict[str, str] = {}
    blocks: dict[str, frozenset[tuple[int, int]]] = {}
    for number, mask in masks.items():
        feature = kind.features[number]
        group = feature.group
        if group == "lut":
            tables[int(feature.name[3:])] ^= mask
            continue
        if feature.meanings is not None and mask not in feature.meanings:
            raise _odd(row, column, feature, mask)
        if group == "mux":
            assert feature.meanings is not None
            source = feature.meanings[mask]
            if source == ISOLATED:
                isolated.add(feature.name)
            else:
                edges.append(_edge(chip, row, column, feature.name, source))
        elif group == "clock":
            edges.append(_clock_edge(chip, row, column, feature, mask))
        elif group == "slice":
            assert feature.meanings is not None
            slices[int(feature.name[3:])] = feature.meanings[mask]
        elif group == "pad":
            use = chip.pads.use(kind.number, feature.name, feature.fuses(mask))
            if use is None:
                raise _odd(row, column, feature, mask)
            pads[feature.name] = use
        elif group not in ("GSR", "CFG", "constant"):  # `settings` compares these
            blocks[group] = feature.fuses(mask)
    return Tile(
        masks, tuple(edges), frozenset(isolated), tuple(tables), tuple(slices), pads, blocks
    )


@lru_cache(maxsize=256)
def _blank_slices(chip: Chip, number: int) -> tuple[Slice, ...]:
    kind = chip.kind_by_number(number)
    return tuple(
        feature.meanings[0]
        for feature in kind.features
        if feature.group == "slice" and feature.meanings is not None
    )


def _edge(chip: Chip, row: int, column: int, name: str, source: str) -> tuple[Wire, Wire | int]:
    driver = _CONSTANTS.get(source)
    if driver is None:
        return chip.node(row, column, name), chip.node(row, column, source)
    return chip.node(row, column, name), driver


def _clock_edge(
    chip: Chip, row: int, column: int, feature: Feature, mask: int
) -> tuple[Wire, Wire | int]:
    assert feature.meanings is not None
    source = feature.meanings[mask]
    if isinstance(source, tuple):
        there = [name for name in source if (row, column, name) in chip.members]
        if len(there) != 1:
            raise _odd(row, column, feature, mask)
        (source,) = there
    return _edge(chip, row, column, feature.name, source)


def _odd(row: int, column: int, feature: Feature, mask: int) -> InputError:
    return _unknown(
        row,
        column,
        min(feature.fuses(mask)),
        f"and others of {feature.name} are in no known combination",
    )


def _unknown(row: int, column: int, fuse: tuple[int, int], what: str) -> InputError:
    return InputError(
        f"tile {place(row, column)} of the bitstream: the fuse in row {fuse[0]}, column "
        f"{fuse[1]} {what}; only bitstreams of this project's builds can be decoded"
    )
