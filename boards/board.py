# SPDX-License-Identifier: MIT
"""What a board is, as data; nothing here needs the gateware library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from glintfpga.quant.errors import InputError

__all__ = ["Board", "Capacity", "TileGrid"]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Cells of the chip. A carry cell takes a LUT4; a DSP macro is 2 MULT18X18."""

    lut4: int
    dff: int
    bsram: int
    """Block RAMs of 18 Kbit."""
    mult18x18: int
    mult9x9: int
    ram16: int
    """LUT RAMs of 16 x 4 bits."""


@dataclass(frozen=True, kw_only=True)
class TileGrid:
    """The chip's grid of tiles, (0, 0) at the top left, as the tools' chip database has it."""

    columns: int
    rows: int
    bsram: Mapping[int, tuple[int, ...]]
    """First columns of the block RAMs of a row; each is BSRAM_TILES wide."""
    dsp: Mapping[int, tuple[int, ...]]
    """First columns of the pairs of DSP macros of a row (4 MULT18X18); each is DSP_TILES wide."""

    BSRAM_TILES: ClassVar[int] = 3
    DSP_TILES: ClassVar[int] = 9


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board: chip, clocks and tool names."""

    name: str
    """The user's key, also the flash tool's name of the board."""
    title: str
    part: str
    """Part number, as the place and route tool wants it."""
    chip_database: str
    """Name of the chip in the open tools' databases."""
    idcode: int
    """Identification code of the chip, on JTAG and in bitstreams."""
    tile_frames: int
    """Frames of a bitstream for the fuses of the tiles."""
    contents_frames: int
    """Frames behind them for the contents of block RAMs; left out where no block RAM is in use."""
    frame_bytes: int
    """Bytes per frame, eight fuses each."""
    clock_pin: str
    clock_hz: int
    """The oscillator."""
    clocks_mhz: tuple[float, ...]
    """Clocks that the gateware can run at."""
    default_clock_mhz: float
    capacity: Capacity
    floor: TileGrid
    platform: Callable[[], Any]
    """Makes a new Amaranth platform; imports the gateware library."""
    dividers: Mapping[float, tuple[int, int, int]]
    """PLL settings (IDIV_SEL, FBDIV_SEL, ODIV_SEL) of the clocks; none for the oscillator's."""
    pack_options: tuple[str, ...]
    """Which configuration pins the packer gives to the design."""
    apio_board: str
    """What apio calls the board."""

    def check_clock(self, clock_mhz: float) -> float:
        """Return ``clock_mhz``, or raise ``InputError`` when the board cannot make it."""
        if clock_mhz not in self.clocks_mhz:
            valid = ", ".join(f"{clock:g}" for clock in self.clocks_mhz)
            raise InputError(
                f"{self.name} has no clock of {clock_mhz:.15g} MHz: use one of {valid}"
            )
        return clock_mhz

    def hertz(self, clock_mhz: float | None) -> int:
        """A clock in Hz, None for the default; raises as `check_clock`."""
        chosen = self.default_clock_mhz if clock_mhz is None else self.check_clock(clock_mhz)
        return round(chosen * 1e6)
