# SPDX-License-Identifier: MIT
"""Checks that the circuit explains every fuse that is set; a fuse without a reason is refused.

==============  ================================================================================
fuse of         is explained by
==============  ================================================================================
mux, clock      a wire that leads to a pin of a cell of the circuit, even if the pin has no effect
table of a LUT  a cell of the circuit; or the end of a carry chain, whose table is 0
slice           its flip-flops that are in the circuit; without any, the packer's usual setting
block RAM,      a cell of the circuit, each multiplier; `blocks` and `pll` compare the fuses
DSP, PLL
pad, bank,      `settings`, which compares them all; an input must be read
GSR, CFG,
constant
contents        a block RAM in use, see `contents`
==============  ================================================================================
"""

from dataclasses import replace

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import BLOCK_TILES
from glintfpga.sim.gowin.decode.circuit import Circuit
from glintfpga.sim.gowin.decode.fuse_kinds import Feature, Slice
from glintfpga.sim.gowin.decode.hard_cells import HardBlocks
from glintfpga.sim.gowin.decode.pads import INPUT
from glintfpga.sim.gowin.decode.routing import Router
from glintfpga.sim.gowin.decode.tiles import Tile, place

__all__ = ["Account"]

_SLICE_PINS = ("CLK", "CE", "LSR")
_TABLES_OF_RAM = 6
_ZERO = 0xFFFF
"""Mask of an all-zero table: a fuse is set where the table bit is 0."""
_IDLE = Slice(
    mode="LUT",
    set_reset=False,
    values=(0, 0),
    asynchronous=False,
    negative_edge=False,
    inverted=False,
)
_FREE = replace(_IDLE, values=(1, 1))
_OF_RAM = (
    _FREE,
    _FREE,
    replace(_FREE, set_reset=True, inverted=True),
    replace(_IDLE, mode="RAM"),
)
"""The slices of a LUT RAM; the third has the write enable."""


class Account:
    """Which fuses a circuit explains, once it is extracted.

    `router` is a fresh one: the circuit's own has followed only the wires that the circuit uses.
    """

    def __init__(self, circuit: Circuit, blocks: HardBlocks, router: Router):
        self._chip = circuit.chip
        self._circuit = circuit
        self._blocks = blocks
        self._router = router
        self._bels = circuit.bels_by_tile()
        self._block_tiles = {
            (*site.tile(number), site.kind)
            for site in self._chip.sites
            for number in range(BLOCK_TILES[site.kind])
        }
        for (row, column), bels in self._bels.items():
            for bel in bels:
                self._follow_pins(row, column, bel)
        pads = ((row, column, f"IOB{letter}") for row, column, letter in circuit.used_pads)
        for row, column, bel in (*pads, self._chip.global_reset):
            self._follow(row, column, *self._chip.bels(row, column)[bel].portmap.values())
        self._wires = router.used | circuit.router.used

    def check(self) -> None:
        """Raise InputError for the first fuse that nothing explains."""
        for name in self._blocks.names:
            if name not in self._circuit.cells:
                raise InputError(
                    f"{name} of the bitstream is set up, but nothing uses it; only bitstreams of "
                    "this project's builds can be decoded"
                )
        for (row, column), tile in self._circuit.tiles.items():
            self.check_tile(row, column, tile)

    def check_tile(self, row: int, column: int, tile: Tile) -> None:
        """Check one tile, which may have changed since."""
        kind, bels = self._chip.kind(row, column), self._bels.get((row, column), set())
        for number, mask in tile.masks.items():
            feature = kind.features[number]
            if not self._explains(row, column, tile, feature, mask):
                fuse = min(feature.fuses(mask))
                raise InputError(
                    f"tile {place(row, column)} of the bitstream: the fuse in row {fuse[0]}, "
                    f"column {fuse[1]} is set, of {feature.name}, for which nothing in the circuit "
                    "is a reason; only bitstreams of this project's builds can be decoded"
                )
        for at, settings in enumerate(tile.slices):
            if bels and not _explains_slice(bels, settings, at):
                raise InputError(
                    f"tile {place(row, column)} of the bitstream: slice {at} has settings that its "
                    "cells do not explain; only bitstreams of this project's builds can be decoded"
                )

    def _explains(self, row: int, column: int, tile: Tile, feature: Feature, mask: int) -> bool:
        bels = self._bels.get((row, column), set())
        if feature.group in ("mux", "clock"):
            return self._chip.node(row, column, feature.name) in self._wires
        if feature.group == "lut":
            return _explains_table(bels, tile, int(feature.name[3:]), mask)
        if feature.group == "slice":
            return bool(_cells_of(bels, int(feature.name[3:])))
        if feature.group == "pad" and feature.name != "BANK":
            pad = (row, column, feature.name[-1])
            return tile.pads[feature.name] != INPUT or pad in self._circuit.used_pads
        if feature.group in ("pad", "GSR", "CFG", "constant"):
            return True
        block = "DSP" if feature.group.startswith("DSP") else feature.group.partition("_")[0]
        return (row, column, block) in self._block_tiles

    def _follow_pins(self, row: int, column: int, bel: str) -> None:
        """Follow all wires that lead to pins of a cell."""
        if bel.startswith(("LUT", "ALU")):
            self._follow(row, column, *(f"{pin}{bel[3:]}" for pin in "ABCD"))
        elif bel.startswith("DFF"):
            self._follow(row, column, *(f"{pin}{int(bel[3:]) // 2}" for pin in _SLICE_PINS))
        elif bel == "RAM16":
            for lut in range(_TABLES_OF_RAM):
                self._follow(row, column, *(f"{pin}{lut}" for pin in "ABCD"))
            self._follow(row, column, *(f"{pin}2" for pin in _SLICE_PINS))
        elif not bel.startswith("MUX"):
            name = "RPLLA" if bel == "PLL" else bel
            self._follow(row, column, *self._chip.bels(row, column)[name].portmap.values())

    def _follow(self, row: int, column: int, *wires: str) -> None:
        for wire in wires:
            self._router.source(row, column, wire)


def _explains_table(bels: set[str], tile: Tile, lut: int, mask: int) -> bool:
    if bels & {f"LUT{lut}", f"ALU{lut}"} or ("RAM16" in bels and lut < 4):
        return True
    return tile.is_alu(lut) and mask == _ZERO and f"ALU{lut - 1}" in bels


def _cells_of(bels: set[str], number: int) -> set[str]:
    """The cells of a tile that are in one slice."""
    pair = (2 * number, 2 * number + 1)
    own = {f"{kind}{at}" for kind in ("LUT", "ALU", "DFF") for at in pair}
    return bels & (own | {"RAM16"})


def _explains_slice(bels: set[str], found: Slice, number: int) -> bool:
    """Whether settings that no flip-flop of the circuit needs have the packer's usual values."""
    own = _cells_of(bels, number)
    if not own:
        return True
    if own == {"RAM16"}:
        return found == _OF_RAM[number]
    flops = [f"DFF{2 * number + at}" in own for at in (0, 1)]
    if not any(flops):
        return found == replace(_IDLE, mode=found.mode)
    idle = [value for value, used in zip(found.values, flops, strict=True) if not used]
    return not any(idle) and (found.set_reset or not (found.asynchronous or found.inverted))
