# SPDX-License-Identifier: MIT
"""Another clock for a finished bitstream: only fuses of the PLL, and words of a block RAM, change.

The dividers of the PLL lie in some fuses of its tiles, all in few frames; wires and logic do not
depend on them, so nothing is routed again. Charge pump and loop filter follow the dividers as in
the packer (`pump` of `glintfpga.sim.gowin.decode.pll`). `decode` reads the result as it reads any
other bitstream, and refuses a PLL that is not set as the board sets it for one of its clocks.
"""

from collections.abc import Iterator

import numpy as np

from glintfpga.boards.gowin.bitstream_file import text_of
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.bitstream import Decoded, Position
from glintfpga.sim.gowin.decode.blocks import fuses_at
from glintfpga.sim.gowin.decode.chip import PLL_TILES, Site
from glintfpga.sim.gowin.decode.contents import WORD_BITS, positions
from glintfpga.sim.gowin.decode.pll import attributes_for

__all__ = ["clock_flips", "content_flips", "text"]

_BYTE = 9
"""Bits of a byte in a block RAM, with the one for parity, which is 0 in a memory of bytes."""


def clock_flips(decoded: Decoded, clock_mhz: float) -> list[Position]:
    """The fuses to invert for another clock of the board, sorted.

    Raises ``InputError`` for a clock that the board's PLL has no dividers for, and for a bitstream
    without a PLL.
    """
    board = decoded.chip.board
    if clock_mhz not in board.dividers:
        valid = ", ".join(f"{clock:g}" for clock in board.dividers)
        raise InputError(f"the PLL of {board.name} makes {valid} MHz, not {clock_mhz:.15g} MHz")
    site, found = _pll(decoded)
    table = decoded.chip.block_table("PLL", "PLL", site, PLL_TILES)
    wanted = table.encode(attributes_for(board, clock_mhz), decoded.chip.pll_zeros)
    places = []
    for number, row, column in found ^ wanted:
        tile_row, tile_column = site.tile(number)
        top, left = decoded.chip.top[tile_row], decoded.chip.left[tile_column]
        places.append((top + row, left + column))
    return sorted(places)


def _pll(decoded: Decoded) -> tuple[Site, set[tuple[int, int, int]]]:
    """The PLL in use, and its fuses."""
    for site in decoded.chip.sites:
        if site.kind == "PLL" and (fuses := fuses_at(decoded.tiles, site, PLL_TILES, "PLL")):
            return site, fuses
    raise InputError(
        "the bitstream runs at the oscillator's clock, without a PLL, so that it has no other one; "
        "build one with the default --clock-mhz"
    )


def content_flips(decoded: Decoded, old: bytes, new: bytes) -> list[Position]:
    """The bits to invert that put ``new`` in the place of ``old``, of equal length.

    ``old`` has to be in one block RAM of bytes, at one place, in words that follow each other. Else
    raises ``InputError``.
    """
    if len(old) != len(new):
        raise ValueError(f"{len(old)} bytes cannot be replaced by {len(new)}")
    places = list(_places(decoded, old))
    if len(places) != 1:
        raise InputError(
            f"the bytes {old.hex()} are at {len(places)} places of the block RAMs, not at one: "
            "name a bitstream that glintfpga build made"
        )
    ((site, at),) = places
    frames, columns = positions(decoded.chip, site)
    return [
        (int(frames[bit]), int(columns[bit]))
        for number, difference in enumerate(a ^ b for a, b in zip(old, new))
        for bit in range(_BYTE * (at + number), _BYTE * (at + number) + 8)
        if difference >> (bit - _BYTE * (at + number)) & 1
    ]


def _places(decoded: Decoded, wanted: bytes) -> Iterator[tuple[Site, int]]:
    """Block RAM and byte at which a run of bytes begins."""
    if decoded.bitmap.shape[0] == decoded.chip.top[-1]:
        return  # no block RAM is in use
    for site in decoded.chip.sites:
        if site.kind != "BSRAM":
            continue
        frames, columns = positions(decoded.chip, site)
        bits = decoded.bitmap[frames, columns].reshape(-1, WORD_BITS // 2)
        data = np.packbits(bits[:, :8], axis=1, bitorder="little").tobytes()
        at = data.find(wanted)
        while at >= 0:
            yield site, at
            at = data.find(wanted, at + 1)


def text(decoded: Decoded) -> bytes:
    """The .fs file of a decoded bitstream, without comments."""
    rows = np.packbits(decoded.bitmap[:, ::-1], axis=1)
    return text_of([row.tobytes() for row in rows], board=decoded.chip.board)
