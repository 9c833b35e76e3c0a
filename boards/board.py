# SPDX-License-Identifier: MIT
"""The boards as data; nothing here needs the gateware library."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar

from glintfpga.quant.errors import InputError

__all__ = ["BOARDS", "TANGNANO20K", "Board", "Capacity", "TileGrid", "board_of"]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What the chip holds, in cells. A carry cell takes a LUT4; a DSP macro is 2 MULT18X18."""

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
    """What the chip calls itself, on JTAG and in its bitstreams."""
    tile_frames: int
    """Frames of a bitstream for the fuses of the tiles."""
    contents_frames: int
    """Frames behind them for the contents of block RAMs; left out where no block RAM is in use."""
    frame_bytes: int
    """Fuses of a frame, eight a byte."""
    clock_pin: str
    clock_hz: int
    """The oscillator."""
    clocks_mhz: tuple[float, ...]
    """Clocks that the gateware can run at."""
    default_clock_mhz: float
    capacity: Capacity
    floor: TileGrid
    platform_class: str
    """``module:class`` of the Amaranth platform."""
    dividers: Mapping[float, tuple[int, int, int]]
    """PLL settings (IDIV_SEL, FBDIV_SEL, ODIV_SEL) of the clocks; none for the oscillator's."""
    pack_options: tuple[str, ...]
    """Which configuration pins the packer gives to the design."""
    apio_board: str
    """What apio calls the board."""

    def platform(self) -> Any:
        """A new Amaranth platform; imports the gateware library."""
        module, _, name = self.platform_class.partition(":")
        return getattr(import_module(module), name)()

    def check_clock(self, clock_mhz: float) -> float:
        """Return ``clock_mhz``, or raise ``InputError`` when the board cannot make it."""
        if clock_mhz not in self.clocks_mhz:
            valid = ", ".join(f"{clock:g}" for clock in self.clocks_mhz)
            raise InputError(f"{self.name} has no clock of {clock_mhz!r} MHz: use one of {valid}")
        return clock_mhz


TANGNANO20K = Board(
    name="tangnano20k",
    title="Sipeed Tang Nano 20K",
    part="GW2AR-LV18QN88C8/I7",
    chip_database="GW2A-18C",
    idcode=0x0000081B,
    tile_frames=1342,
    contents_frames=768,
    frame_bytes=422,
    clock_pin="4",
    clock_hz=27_000_000,
    clocks_mhz=(27.0, 54.0, 67.5, 81.0, 94.5, 108.0),
    default_clock_mhz=54.0,
    capacity=Capacity(lut4=20736, dff=15552, bsram=46, mult18x18=48, mult9x9=96, ram16=648),
    floor=TileGrid(
        columns=56,
        rows=55,
        bsram=MappingProxyType(
            {
                9: tuple(range(4, 50, 3)),
                27: (*range(1, 23, 3), *range(31, 47, 3)),
                45: tuple(range(4, 50, 3)),
            }
        ),
        dsp=MappingProxyType(dict.fromkeys((18, 36), tuple(range(1, 47, 9)))),
    ),
    platform_class="glintfpga.boards.tangnano20k.platform:TangNano20kPlatform",
    dividers=MappingProxyType(
        {54.0: (0, 1, 16), 67.5: (1, 4, 16), 81.0: (0, 2, 8), 94.5: (1, 6, 8), 108.0: (0, 3, 8)}
    ),
    # Only the pins of the SPI flash need this. JTAG stays as it is.
    pack_options=("--sspi_as_gpio", "--mspi_as_gpio"),
    apio_board="sipeed-tang-nano-20k",
)

BOARDS: Mapping[str, Board] = MappingProxyType({TANGNANO20K.name: TANGNANO20K})


def board_of(name: str) -> Board:
    """The board of that name; ``InputError`` lists the names there are."""
    try:
        return BOARDS[name]
    except KeyError:
        raise InputError(f"unknown board {name!r}: use one of {', '.join(BOARDS)}") from None
