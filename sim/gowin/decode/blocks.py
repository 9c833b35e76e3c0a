# SPDX-License-Identifier: MIT
"""Settings of block RAMs and multipliers from their fuses.

Each reader encodes the settings that it found as the packer would, and compares: a fuse too many or
too few is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.attributes import Fuse, Table
from glintfpga.sim.gowin.decode.chip import BSRAM_TILES, DSP_TILES, Chip, Site
from glintfpga.sim.gowin.decode.tiles import Tile, place

__all__ = ["BlockRam", "Multiplier", "block_ram", "compare", "fuses_at", "multipliers"]

_Tiles = Mapping[tuple[int, int], Tile]


@dataclass(frozen=True)
class BlockRam:
    """Widths (9, 18 or 36 columns) and write modes of the ports A and B."""

    widths: tuple[int, int]
    modes: tuple[int, int]
    """0: the output stays, 1: write through, 2: read before write."""
    bytes_enabled: tuple[bool, bool]
    """Fuses switch on all bytes of a word; else the lowest bits of the address do."""


@dataclass(frozen=True)
class Multiplier:
    """One multiplier of a DSP macro; MULT9X9 or MULT18X18 of the database, such as MULT18X1801."""

    bel: str
    width: int
    registers: Mapping[str, int]
    """AREG, BREG, PIPE_REG, OUT_REG: 1 if they are there."""
    pins: tuple[int, int, int]
    """Which of the four CLK, CE and RESET of the macro they use."""
    asynchronous: bool


def fuses_at(tiles: _Tiles, site: Site, count: int, table: str) -> set[Fuse]:
    """The fuses of a block's `count` tiles that belong to a table of the database."""
    return {
        (number, *bit)
        for number in range(count)
        for bit in tiles[site.tile(number)].blocks.get(table, ())
    }


def compare(site: Site, what: str, found: set[Fuse], expected: set[Fuse]) -> None:
    """Raise InputError for the first fuse that differs."""
    if found == expected:
        return
    wrong = sorted(found ^ expected)[0]
    row, column = site.tile(wrong[0])
    state = "set" if wrong in found else "not set"
    raise InputError(
        f"tile {place(row, column)} of the bitstream: the fuse in row {wrong[1]}, column "
        f"{wrong[2]} is {state}, which the settings of {what} do not explain; only bitstreams "
        "of this project's builds can be decoded"
    )


def block_ram(chip: Chip, tiles: _Tiles, site: Site) -> BlockRam | None:
    """The block RAM at `site`, None if it is not used."""
    fuses = fuses_at(tiles, site, BSRAM_TILES, "BSRAM_DP")
    if not fuses:
        return None
    table = chip.block_table("BSRAM_DP", "BSRAM", site, BSRAM_TILES)
    attributes: dict[str, int | str] = {
        "MODE": "ENABLE",
        "GSR": "DISABLE",
        "OUTREG_ASYNC": "RESET",
        **{f"CS{port}_{bit}": "SET" for port in "AB" for bit in range(3)},
    }
    widths, modes, enabled = [], [], []
    names = {table.number(name): int(name) for name in ("1", "2", "4", "9", "16")}
    for port in "AB":
        double = table.read(f"DBLW{port}", fuses)
        width = table.read(f"DP{port}_DATA_WIDTH", fuses)
        if double is not None:
            attributes[f"DBLW{port}"] = double
        elif width is not None:
            attributes[f"DP{port}_DATA_WIDTH"] = width
        widths.append(36 if double is not None else 18 if width is None else names[width])
        mode = table.read(f"DP{port}_MODE", fuses)
        if mode is not None:
            attributes[f"DP{port}_MODE"] = mode
        modes.append({None: 0, table.number("WT"): 1, table.number("RBW"): 2}[mode])
        halves = [f"DP{port}_BE{half}B" for half in "HL"]
        both = all(table.read(half, fuses) == table.number("ENABLE") for half in halves)
        if both:
            attributes |= dict.fromkeys(halves, "ENABLE")
        enabled.append(both)
    compare(site, "block RAM", fuses, table.encode(attributes))
    return BlockRam((widths[0], widths[1]), (modes[0], modes[1]), (enabled[0], enabled[1]))


def multipliers(chip: Chip, tiles: _Tiles, site: Site) -> list[Multiplier]:
    """The multipliers of the two DSP macros at `site`, without those that are not used."""
    found = []
    for macro in range(2):
        fuses = fuses_at(tiles, site, DSP_TILES, f"DSP{macro}")
        if not fuses:
            continue
        table = chip.block_table(f"DSP{macro}", "DSP", site, DSP_TILES)
        nines = table.read("M9MODE_EN", fuses) is not None
        halves = [at for at in range(4) if table.read(_enable(at), fuses) is not None]
        # The mode without a multiplier in that mode is left unexplained.
        attributes: dict[str, int | str] = {"M9MODE_EN": "ENABLE"} if nines and halves else {}
        read = {at: _Half(table, fuses, at) for at in halves}
        for half in read.values():
            attributes |= half.attributes()
        compare(site, f"the multipliers of macro {macro}", fuses, table.encode(attributes))
        if nines:
            found += [half.multiplier(f"MULT9X9{macro}{at}", 9) for at, half in read.items()]
            continue
        for pair in range(2):
            low, high = read.get(2 * pair), read.get(2 * pair + 1)
            if low is None and high is None:
                continue
            bel = f"MULT18X18{macro}{pair}"
            whole = low.multiplier(bel, 18) if low else None
            if whole is None or high is None or high.multiplier(bel, 18) != whole:
                raise InputError(
                    f"tile {place(site.row, site.column)} of the bitstream: the halves of {bel} "
                    "have different settings; only this project's builds can be decoded"
                )
            found.append(whole)
    return found


def _enable(half: int) -> str:
    return f"OR2CIB_EN{half // 2}{'LH'[half % 2]}_{half}"


class _Half:
    """A 9 bit multiplier, or half of one of 18 bits: number 0 to 3 in its macro."""

    def __init__(self, table: Table, fuses: set[Fuse], number: int):
        self._table = table
        self._fuses = fuses
        self._number = number
        self._pair = number // 2
        self._side = "LH"[number % 2]
        # A register is bypassed by an attribute; else its clock, enable and reset are chosen.
        self._bypass = {
            "AREG": [f"IR{{}}_IREG{self._pair}A{self._side}_{self._pair * 4 + number % 2}"],
            "BREG": [f"IR{{}}_IREG{self._pair}B{self._side}_{self._pair * 4 + 2 + number % 2}"],
            "PIPE_REG": [
                f"CPR{{}}_{self._pair * 3}",
                f"CPR{{}}_{self._pair * 3 + 1}",
                f"PPREG{self._pair}_{{}}{self._side}_{number}",
            ],
            "OUT_REG": [f"OREG{self._pair}_{{}}{self._side}_{number}"],
            "ASIGN_REG": [f"CIN{{}}_{self._pair * 3}"],
            "BSIGN_REG": [f"CIN{{}}_{self._pair * 3 + 1}"],
        }
        side, pair = self._side, self._pair
        self._muxes = {
            "AREG": [f"{{}}{side}MUX_REGMA{pair}"],
            "BREG": [f"{{}}{side}MUX_REGMB{pair}"],
            "PIPE_REG": [
                f"{{}}MUX_ASIGN{pair}2",
                f"{{}}MUX_BSIGN{pair}2",
                f"{{}}{side}MUX_REGP{pair}",
            ],
            "OUT_REG": [f"{{}}{side}MUX_OREG{pair}"],
            "ASIGN_REG": [f"{{}}MUX_ASIGN{pair}1"],
            "BSIGN_REG": [f"{{}}MUX_BSIGN{pair}1"],
        }
        self.registers = {name: int(not self._is_bypassed(name)) for name in self._bypass}
        self.choices = self._choices()

    def _is_bypassed(self, register: str) -> bool:
        last = self._bypass[register][-1]
        return self._table.read(last.format(self._short(last)), self._fuses) is not None

    def _short(self, pattern: str) -> str:
        return "BYP" if pattern.startswith(("OREG", "PPREG")) else "BY"

    def _choices(self) -> dict[str, int | str]:
        """Clock, enable and reset of each register that is there."""
        found: dict[str, int | str] = {}
        for register, patterns in self._muxes.items():
            if self.registers[register]:
                for pattern in patterns:
                    for pin in ("CE", "CLK", "RST", "RSTGEN"):
                        name = pattern.format(pin)
                        value = self._table.read(name, self._fuses)
                        if value is not None:
                            found[name] = value
        return found

    def attributes(self) -> dict[str, int | str]:
        """Everything that the packer writes for this half."""
        pair = self._pair
        written: dict[str, int | str] = {
            f"IRASHFEN_{pair}": "1",
            f"IRBSHFEN_{pair}": "1",
            _enable(self._number): "ENABLE",
        }
        if pair:
            written["MATCH_SHFEN"] = "ENABLE"
            # The cascade output is not used: its register is bypassed.
            match = f"IRMATCH{self._side}_{8 + self._number % 2}"
            written |= {f"IRBY_{match}": "ENABLE", f"IRNS_{match}": "ENABLE"}
        for register, patterns in self._bypass.items():
            if not self.registers[register]:
                for pattern in patterns:
                    written[pattern.format(self._short(pattern))] = "ENABLE"
                    written[pattern.format("NS")] = "ENABLE"
        return written | self.choices

    def multiplier(self, bel: str, width: int) -> Multiplier:
        """As a multiplier; all its registers must have one clock, enable and reset."""
        if self.registers["ASIGN_REG"] or self.registers["BSIGN_REG"]:
            raise InputError(f"{bel} of the bitstream registers its signs: not supported")
        pins = []
        resets = set()
        used = {
            pattern: register
            for register, patterns in self._muxes.items()
            if self.registers[register]
            for pattern in patterns
        }
        for pin, prefix in (("CLK", "CLKIN"), ("CE", "CEIN"), ("RST", "RSTIN")):
            numbers = {
                next(
                    (
                        at
                        for at in (1, 2, 3)
                        if self.choices.get(pattern.format(pin))
                        == self._table.number(f"{prefix}{at}")
                    ),
                    0,
                )
                for pattern in used
            }
            if len(numbers) > 1:
                raise InputError(f"{bel} of the bitstream has registers with different {pin} pins")
            pins.append(numbers.pop() if numbers else 0)
        resets = {pattern.format("RSTGEN") in self.choices for pattern in used}
        kept = ("AREG", "BREG", "PIPE_REG", "OUT_REG")
        return Multiplier(
            bel,
            width,
            {name: self.registers[name] for name in kept},
            (pins[0], pins[1], pins[2]),
            asynchronous=False in resets,
        )
