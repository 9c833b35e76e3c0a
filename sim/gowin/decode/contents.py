# SPDX-License-Identifier: MIT
"""Initial contents of the block RAMs: frames behind those of the tiles.

Each row of block RAM has 256 frames, upside down. Bit `b` (0 to 17) of the 18-bit word `w` (0 to
1,023) of a block lies in row ``64 q(w & 3) + (w >> 2 & 63)``, q = 0, 2, 1, 3, and in the column
that the database lists for ``4 b + (w >> 8)``, from the block's first tile on. (Inverse of the
packer's placement.)
"""

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import Chip, Site
from glintfpga.sim.gowin.decode.tiles import place

__all__ = ["FRAMES", "WORD_BITS", "positions", "read_contents"]

FRAMES = 256
"""For one row of block RAM."""
WORD_BITS = 18
_WORDS = 1024
_QUARTER = np.array([0, 2, 1, 3])


def positions(chip: Chip, site: Site) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frame and column of bit `i` of a block's contents, for all 18,432 of them."""
    lines = chip.database.rev_logicinfo("BSRAM_INIT")
    words = np.arange(_WORDS)
    rows = 64 * _QUARTER[words & 3] + (words >> 2 & 63)
    first = chip.top[-1] + FRAMES * chip.contents_rows.index(site.row)
    frames = np.repeat(first + FRAMES - 1 - rows, WORD_BITS)
    columns = np.array(
        [[lines[4 * bit + page][0] - 1 for bit in range(WORD_BITS)] for page in range(4)]
    )
    return frames, chip.left[site.column] + columns[words >> 8].reshape(-1)


def read_contents(
    chip: Chip, bitmap: NDArray[np.uint8], used: list[Site]
) -> dict[tuple[int, int], int]:
    """The contents of the block RAMs `used`, by the tile they begin in: 18 bits per word.

    Raises InputError when there is a bit anywhere else.
    """
    found = {}
    left = bitmap[chip.top[-1] :].copy()
    for site in used:
        if not len(left):
            found[site.row, site.column] = 0
            continue
        frames, columns = positions(chip, site)
        bits = bitmap[frames, columns]
        left[frames - chip.top[-1], columns] = 0
        packed = np.packbits(bits, bitorder="little").tobytes()
        found[site.row, site.column] = int.from_bytes(packed, "little")
    if left.any():
        frame, column = (int(at[0]) for at in np.nonzero(left))
        row = chip.contents_rows[frame // FRAMES]
        at = int(np.searchsorted(chip.left, column, side="right")) - 1
        raise InputError(
            f"tile {place(row, at)} of the bitstream: contents in frame {chip.top[-1] + frame}, "
            f"column {column} belong to no block RAM in use; only bitstreams of this project's "
            "builds can be decoded"
        )
    return found
