# SPDX-License-Identifier: MIT
"""Facts of the Sipeed Tang Nano 20K (Gowin GW2AR-18, speed C8/I7)."""

from types import MappingProxyType
from typing import Any

from glintfpga.boards.board import Board, Capacity, TileGrid

__all__ = ["TANGNANO20K"]


def _platform() -> Any:
    from glintfpga.boards.tangnano20k.platform import TangNano20kPlatform

    return TangNano20kPlatform()


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
    platform=_platform,
    dividers=MappingProxyType(
        {54.0: (0, 1, 16), 67.5: (1, 4, 16), 81.0: (0, 2, 8), 94.5: (1, 6, 8), 108.0: (0, 3, 8)}
    ),
    # Only the pins of the SPI flash need this. JTAG stays as it is.
    pack_options=("--sspi_as_gpio", "--mspi_as_gpio"),
    apio_board="sipeed-tang-nano-20k",
)
