# SPDX-License-Identifier: MIT
"""What each fuse of a kind of tile belongs to.

The tiles of the chip are of about ninety kinds. In a kind, every fuse belongs to one *feature*: a
routing mux, the table of a LUT, the settings of a slice, a part of a hard block, a pad. A tile
that is read becomes a mask per feature, with one bit for each of its fuses.

Muxes: most sources are chosen by the fuses that the database lists. Two more lists count: a source
that is not in an `alonenode` list also sets the fuses of that list, and the end of a long wire
that is not connected sets those of `alonenode_6`, which isolates it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.sim.gowin.decode.attributes import fuses_of

__all__ = ["ISOLATED", "Feature", "Kind", "Slice", "kind_of"]

ISOLATED = ""
"""Source of a long wire's end that is cut off."""

_LUT_BITS = 16
# Tables of hard blocks; the one for two ports serves every block RAM.
_PARTS = ("BSRAM_DP", "DSP0", "DSP1", "PLL", "CFG", "GSR")
_FIXED = ("pad", "GSR", "CFG", "constant")


@dataclass(frozen=True)
class Slice:
    """Settings of two LUTs and two flip-flops."""

    mode: str
    """LUT, ALU or RAM."""
    set_reset: bool
    """The flip-flops use LSR."""
    values: tuple[int, int]
    """Values of the two flip-flops after LSR and at power-up."""
    asynchronous: bool
    negative_edge: bool
    inverted: bool
    """LSR is active low."""


@dataclass(frozen=True)
class Feature:
    """One thing that fuses of a tile configure; `meanings` by mask where all can be listed."""

    group: str
    """mux, clock, lut, slice, pad, or the name of a table of a hard block."""
    name: str
    bits: tuple[tuple[int, int], ...]
    meanings: Mapping[int, Any] | None = None

    def fuses(self, mask: int) -> frozenset[tuple[int, int]]:
        """Row and column in the tile of the fuses in `mask`."""
        return frozenset(bit for at, bit in enumerate(self.bits) if mask >> at & 1)


@dataclass
class Kind:
    """One kind of tile."""

    number: int
    width: int
    height: int
    features: list[Feature] = field(default_factory=list)
    owner: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Fuse (row * width + column) -> its feature and its bit in the mask."""
    defaults: dict[str, str] = field(default_factory=dict)
    """Muxes without fuses -> their source."""
    luts: int = 0
    cuttable: frozenset[str] = frozenset()
    """Ends of long wires that have fuses to isolate them."""

    @cached_property
    def fixed(self) -> list[int]:
        """Features whose fuses `settings` compares completely."""
        return [at for at, each in enumerate(self.features) if each.group in _FIXED]

    @cached_property
    def places(self) -> list[NDArray[np.int64]]:
        """Row and column of each fuse of each feature."""
        return [np.array(feature.bits, np.int64).reshape(-1, 2) for feature in self.features]

    def add(self, feature: Feature) -> None:
        """Give the fuses to the feature; a fuse that has an owner keeps it."""
        number = len(self.features)
        self.features.append(feature)
        for at, (row, column) in enumerate(feature.bits):
            self.owner.setdefault(row * self.width + column, (number, 1 << at))


def kind_of(database: Any, number: int) -> Kind:
    """The kind `number` of the chip database."""
    tile = database.tiles[number]
    kind = Kind(number, tile.width, tile.height)
    for name in tile.pips:
        kind.add(_mux(tile, name, kind))
    for name, sources in tile.clock_pips.items():
        kind.add(_clock(name, sources))
    kind.cuttable = frozenset(name for name in tile.alonenode_6 if name in tile.pips)
    tables = database.shortval.get(number, {})
    for at in range(8):
        if f"LUT{at}" in tile.bels:
            flags = tile.bels[f"LUT{at}"].flags
            bits = tuple(next(iter(flags[bit])) for bit in range(_LUT_BITS))
            kind.add(Feature("lut", f"LUT{at}", bits))
            kind.luts += 1
    for at in range(4):
        if f"CLS{at}" in tables:
            kind.add(_slice(database, f"CLS{at}", tables[f"CLS{at}"]))
    for name in _PARTS:
        if name in tables:
            kind.add(Feature(name, name, _ordered(tables[name].values())))
    for name, rules in database.longval.get(number, {}).items():
        kind.add(Feature("pad", name, _ordered(rules.values())))
    if number in database.const:
        bits = _ordered([database.const[number]])
        kind.add(Feature("constant", "constant", bits, {(1 << len(bits)) - 1: None}))
    return kind


def _ordered(groups: Iterable[Iterable[tuple[int, int]]]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({(row, column) for group in groups for row, column in group}))


def _masks(fuses: Mapping[str, Iterable[tuple[int, int]]]) -> tuple[Any, dict[int, str]]:
    bits = _ordered(fuses.values())
    weight = {bit: 1 << at for at, bit in enumerate(bits)}
    meanings: dict[int, str] = {}
    for source, wanted in fuses.items():
        mask = sum(weight[row, column] for row, column in wanted)
        assert mask not in meanings, "two sources of a mux with the same fuses"
        meanings[mask] = source
    return bits, meanings


def _mux(tile: Any, name: str, kind: Kind) -> Feature:
    fuses = {}
    for source, bits in tile.pips[name].items():
        fuses[source] = set(bits)
        for known, others in tile.alonenode.get(name, ()):
            if source not in known:
                fuses[source] |= others
    for _, bits in tile.alonenode_6.get(name, ()):
        fuses[ISOLATED] = set(bits)
    bits, meanings = _masks(fuses)
    if 0 in meanings:
        kind.defaults[name] = meanings.pop(0)
    return Feature("mux", name, bits, meanings)


def _clock(name: str, sources: Mapping[str, Any]) -> Feature:
    """A clock mux. Quadrant taps list several spines with the same fuses; one of them exists."""
    if name.startswith("GT"):
        bits = _ordered(sources.values())
        return Feature("clock", name, bits, {(1 << len(bits)) - 1: tuple(sources)})
    bits, meanings = _masks(dict(sources))
    meanings.pop(0, None)
    return Feature("clock", name, bits, meanings)


def _slice(database: Any, name: str, rules: Mapping[tuple[int, ...], Any]) -> Feature:
    """Every combination of settings, written as the packer writes it."""
    bits = _ordered(rules.values())
    key = (bits, tuple(sorted((key, _ordered([fuses])) for key, fuses in rules.items())))
    if key not in _SLICES:
        _SLICES[key] = _slice_meanings(database.logicinfo["SLICE"], bits, rules)
    return Feature("slice", name, bits, _SLICES[key])


_SLICES: dict[Any, Mapping[int, Slice]] = {}
"""Meanings by rules: the kinds of tiles share a few."""


def _slice_meanings(
    logic: Mapping[tuple[int, int], int],
    bits: tuple[tuple[int, int], ...],
    rules: Mapping[tuple[int, ...], Any],
) -> Mapping[int, Slice]:
    from apycula import attrids

    weight = {bit: 1 << at for at, bit in enumerate(bits)}
    meanings: dict[int, Slice] = {}
    for mode, switches in product(("LUT", "ALU", "RAM"), product((False, True), repeat=6)):
        use_lsr, first, second, asynchronous, negative, inverted = switches
        attributes = {
            "REGMODE": "FF",
            "REG0_REGSET": "SET" if first else "RESET",
            "REG1_REGSET": "SET" if second else "RESET",
            "CLKMUX_CLK": "INV" if negative else "SIG",
        }
        if mode != "LUT":
            attributes["MODE"] = {"ALU": "ALU", "RAM": "SSRAM"}[mode]
        if use_lsr:
            attributes["LSRONMUX"] = "LSRMUX"
        if asynchronous:
            attributes["SRMODE"] = "ASYNC"
        if inverted:
            attributes["LSR_MUX_LSR"] = "INV"
        codes = {
            logic.get((attrids.cls_attrids[key], attrids.cls_attrvals[value]))
            for key, value in attributes.items()
        }
        fuses = fuses_of({code for code in codes if code}, rules)
        mask = sum(weight[bit] for bit in fuses)
        setting = Slice(mode, use_lsr, (int(first), int(second)), asynchronous, negative, inverted)
        meanings.setdefault(mask, setting)
    return meanings
