# SPDX-License-Identifier: MIT
"""Decodes a bitstream into the circuit that it configures.

    decoded = decode(Path("blink.fs"), board=board)
    decoded.netlist                              cells, nets, pads
    decoded.fuses.positions("routing")           all fuses of a group that matter, see `fuses.py`
    decoded.fuses.at((frame, column))            what a fuse configures
    decoded.with_flips([(frame, column)])        the bitstream with some fuses inverted
    decoded.account.check()                      whether each fuse has a reason, as `decode` did

Only the file is used, nothing else of the build. The meaning of the fuses is from the database that
the packer uses, too; an error in the database would therefore not show.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.bitstream_file import read_frames
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.account import Account
from glintfpga.sim.gowin.decode.chip import Chip, chip_of
from glintfpga.sim.gowin.decode.contents import read_contents
from glintfpga.sim.gowin.decode.extract import Extractor
from glintfpga.sim.gowin.decode.fuses import FuseMap
from glintfpga.sim.gowin.decode.routing import Drivers, Router, drivers_of, redrive
from glintfpga.sim.gowin.decode.settings import check_settings
from glintfpga.sim.gowin.decode.tiles import Tile, read_tile
from glintfpga.sim.gowin.netlist.netlist import Netlist

__all__ = ["Decoded", "Position", "decode"]

Position = tuple[int, int]
"""A fuse: frame of the file, from 0, and column of the chip (its last bit of the line is 0)."""


@dataclass(frozen=True)
class Decoded:
    """A bitstream as tiles; the netlist is extracted when it is first used."""

    chip: Chip
    bitmap: NDArray[np.uint8]
    """The fuses: frames by columns."""
    tiles: Mapping[tuple[int, int], Tile]
    drivers: Drivers

    @property
    def netlist(self) -> Netlist:
        """The circuit. Raises InputError for one that no build of ours makes."""
        return self._extracted[1]

    @cached_property
    def _extracted(self) -> tuple[Extractor, Netlist]:
        check_settings(self.chip, self.tiles)
        extractor = Extractor(self.chip, self.tiles, Router(self.chip, self.tiles, self.drivers))
        rams = [ram.site for ram in extractor.blocks.rams]
        return extractor, extractor.netlist(read_contents(self.chip, self.bitmap, rams))

    @property
    def clock_hz(self) -> int:
        """Frequency of the circuit's clock: of the PLL, or of the board without one."""
        for cell in self.netlist.cells:
            if cell.kind == "PLL":
                return cell.parameters["FREQUENCY_HZ"]
        return self.chip.board.clock_hz

    def check_clock(self, clock_mhz: float) -> None:
        """Raise InputError unless the circuit runs at `clock_mhz`."""
        if self.clock_hz != Fraction(str(clock_mhz)) * 1_000_000:
            raise InputError(
                f"the bitstream runs at {self.clock_hz / 1e6:g} MHz, its build says "
                f"{clock_mhz:g} MHz: build it again"
            )

    @cached_property
    def fuses(self) -> FuseMap:
        """Every fuse that matters for this circuit."""
        return FuseMap(self._extracted[0].circuit, self._extracted[0].blocks, self.bitmap)

    @cached_property
    def account(self) -> Account:
        """The check that the circuit explains every fuse."""
        return Account(
            self._extracted[0].circuit,
            self._extracted[0].blocks,
            Router(self.chip, self.tiles, self.drivers),
        )

    def with_flips(self, positions: Iterable[Position]) -> "Decoded":
        """The bitstream with some fuses inverted; only their tiles are read again.

        Its `account` is not checked: a wire that has become unused does not change the circuit.
        """
        bitmap = self.bitmap.copy()
        touched = set()
        for frame, column in positions:
            if not (0 <= frame < bitmap.shape[0] and 0 <= column < bitmap.shape[1]):
                raise InputError(f"the bitstream has no fuse {(frame, column)!r}")
            bitmap[frame, column] ^= 1
            if frame < self.chip.top[-1]:
                touched.add(self.chip.tile_at(frame, column))
        changes = {tile: _tile(self.chip, bitmap, *tile) for tile in touched}
        pairs = [(self.tiles[tile], new) for tile, new in changes.items()]
        return Decoded(self.chip, bitmap, {**self.tiles, **changes}, redrive(self.drivers, pairs))


def decode(path: Path, *, board: Board) -> Decoded:
    """Read a bitstream. Takes some seconds, as the chip database is loaded.

    Raises InputError for a file that is no bitstream of the board, for fuses that mean nothing, and
    for any that the circuit and the board do not explain: the message names the tile and the fuse.
    EnvironmentProblem when the package with the chip database is not installed.
    """
    frames = read_frames(path, board=board)
    chip = chip_of(board)
    packed = np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1)
    bitmap = np.unpackbits(packed, axis=1)[:, ::-1].copy()
    tiles = {
        (row, column): _tile(chip, bitmap, row, column)
        for row in range(chip.rows)
        for column in range(chip.columns)
    }
    decoded = Decoded(chip, bitmap, tiles, drivers_of(tiles.values()))
    decoded.account.check()
    return decoded


def _tile(chip: Chip, bitmap: NDArray[np.uint8], row: int, column: int) -> Tile:
    fuses = bitmap[chip.top[row] : chip.top[row + 1], chip.left[column] : chip.left[column + 1]]
    return read_tile(chip, row, column, fuses)
