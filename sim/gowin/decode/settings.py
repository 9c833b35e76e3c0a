# SPDX-License-Identifier: MIT
"""Settings of the whole chip and of its pads, fuse by fuse, set and not set.

    GSR, CFG    global reset, and which configuration pins the design gets: `Board.pack_options`
    constant    fuses that the packer always sets in some tiles
    pad         IO standard, pull, drive, slew and the rest: as the board's platform declares them
                for the pads in use; the packer's for all others
    BANK        voltage of a bank of pads

All fuses are compared, those of unused pads with what the packer writes for them.
"""

from collections.abc import Mapping

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import Chip
from glintfpga.sim.gowin.decode.pads import UNUSED, bank_wanted
from glintfpga.sim.gowin.decode.tiles import Tile, place

__all__ = ["check_settings", "wanted_fuses"]

_Tiles = Mapping[tuple[int, int], Tile]
_Fuses = dict[tuple[int, int], set[tuple[int, int]]]


def check_settings(chip: Chip, tiles: _Tiles) -> None:
    """Raise InputError for the first fuse that is not as it must be.

    Which pads are in use, and how, is taken from their own fuses.
    """
    wanted = wanted_fuses(chip, tiles)
    for (row, column), tile in tiles.items():
        kind = chip.kind(row, column)
        if not kind.fixed:
            continue
        found = {
            fuse
            for number in kind.fixed
            if number in tile.masks
            for fuse in kind.features[number].fuses(tile.masks[number])
        }
        right = wanted.get((row, column), set())
        if found != right:
            raise _wrong(chip, row, column, min(found ^ right), found)


def wanted_fuses(chip: Chip, tiles: _Tiles) -> _Fuses:
    """By tile the fuses that must be set; all others of pads, banks, GSR and CFG must not."""
    wanted = {where: set(fuses) for where, fuses in chip.constants.items()}
    uses = {
        site.where: tiles[site.row, site.column].pads.get(f"IOB{site.letter}", UNUSED)
        for site in chip.pad_sites
    }
    used = {site.bank for site in chip.pad_sites if uses[site.where] != UNUSED}
    for site in chip.pad_sites:
        kind = chip.kind(site.row, site.column).number
        attributes = site.wanted(uses[site.where], site.bank in used)
        fuses = chip.pads.pad(kind, f"IOB{site.letter}", attributes)
        wanted.setdefault((site.row, site.column), set()).update(fuses)
    for bank, (row, column) in chip.database.bank_tiles.items():
        kind = chip.kind(row, column).number
        fuses = chip.pads.bank(kind, bank, bank_wanted(bank in used))
        wanted.setdefault((row, column), set()).update(fuses)
    return wanted


def _wrong(
    chip: Chip, row: int, column: int, fuse: tuple[int, int], found: set[tuple[int, int]]
) -> InputError:
    kind = chip.kind(row, column)
    number, _ = kind.owner[fuse[0] * kind.width + fuse[1]]
    name = kind.features[number].name
    port = chip.pad_names.get((row, column, name[-1]))
    what = f"{name} ({port})" if port else name
    return InputError(
        f"tile {place(row, column)} of the bitstream: the fuse in row {fuse[0]}, column {fuse[1]} "
        f"is {'set' if fuse in found else 'not set'}, which the settings of {what} for "
        f"{chip.board.name} do not explain; only bitstreams of this project's builds can be decoded"
    )
