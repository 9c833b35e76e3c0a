# SPDX-License-Identifier: MIT
"""Nothing in a bitstream goes unseen: each fuse and each field has its value, or is refused."""

import random
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from glintfpga.boards.flash.openfpgaloader import flash
from glintfpga.boards.gowin.bitstream_file import check_bitstream, footer, header, read_frames
from glintfpga.boards.shipped import shipped
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.host.models import image_of
from glintfpga.host.proof.run import run
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.bitstream import decode
from glintfpga.sim.gowin.decode.chip import BLOCK_TILES
from glintfpga.sim.gowin.decode.fuses import MODE
from glintfpga.sim.gowin.decode.pads import INPUT, OUTPUT
from glintfpga.sim.gowin.decode.pll import attributes_for
from support.damage import sealed

FIXED = ("pad", "GSR", "CFG", "constant", "PLL")
"""Groups of fuses all of which have one right value, whatever the design."""
BLOCKS = ("BSRAM_DP", "DSP0", "DSP1", "slice")
"""Groups of fuses of cells: flipped, they make another circuit or none."""
SHARES = [100, pytest.param(1, marks=pytest.mark.slow)]
"""Of every so many fuses one is tried."""


def fuses_of(decoded, tiles, groups=None):
    """Positions of all fuses of some tiles that have a meaning: by group, or all."""
    chip, found = decoded.chip, []
    for row, column in sorted(tiles):
        kind = chip.kind(row, column)
        for at, (number, _) in sorted(kind.owner.items()):
            if groups is None or kind.features[number].group in groups:
                down, right = divmod(at, kind.width)
                found.append((chip.top[row] + down, chip.left[column] + right))
    return found


def special_tiles(decoded):
    """Of pads in use, banks, PLLs, global reset and configuration."""
    chip = decoded.chip
    pads = {(row, column) for (row, column), tile in decoded.tiles.items() if in_use(tile)}
    plls = {
        site.tile(number)
        for site in chip.sites
        if site.kind == "PLL"
        for number in range(BLOCK_TILES["PLL"])
    }
    tables = chip.database.shortval
    globals_ = {
        (row, column)
        for row in range(chip.rows)
        for column in range(chip.columns)
        if {"GSR", "CFG"} & set(tables.get(chip.database.grid[row][column], ()))
    }
    return pads | plls | globals_ | set(chip.database.bank_tiles.values())


def in_use(tile):
    return {INPUT, OUTPUT} & set(tile.pads.values())


def group_of(decoded, position):
    chip = decoded.chip
    row, column = chip.tile_at(*position)
    kind = chip.kind(row, column)
    down, right = position[0] - chip.top[row], position[1] - chip.left[column]
    owner = kind.owner.get(down * kind.width + right)
    return kind.features[owner[0]].group if owner else None


def outcome(decoded, position):
    """What becomes of a bitstream with one fuse the other way; only its tile is read again."""
    tile = decoded.chip.tile_at(*position)
    try:
        flipped = decoded.with_flips([position])
        decoded.account.check_tile(*tile, flipped.tiles[tile])
        if flipped.netlist != decoded.netlist:
            return "another circuit"
        flipped.account.check()
    except InputError as error:
        assert "\n" not in str(error)
        return "refused"
    return "unseen"


def outcomes(decoded, positions):
    found = Counter()
    for position in positions:
        said = outcome(decoded, position)
        found[group_of(decoded, position), said] += 1
    return found


@pytest.fixture(scope="module")
def device():
    """The shipped bitstream, whatever it is today."""
    with shipped("tangnano20k").unpacked() as path:
        return decode(path, board=TANGNANO20K)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", ("decoded", "device"))
def test_settings_of_pads_pll_and_chip(request, name, share):
    """Fuses of pads in use, banks, PLL, global reset, configuration; and the constant ones."""
    chip = request.getfixturevalue(name)
    positions = fuses_of(chip, special_tiles(chip) | set(chip.chip.constants), FIXED)
    found = outcomes(chip, positions[::share])
    assert {said for _, said in found} == {"refused"}
    assert {group for group, _ in found} == set(FIXED) or share > 1


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", ("decoded", "device"))
def test_other_fuses_of_these_tiles(request, name, share):
    """Their routing, too."""
    chip = request.getfixturevalue(name)
    found = outcomes(chip, fuses_of(chip, special_tiles(chip))[::share])
    assert sum(found.values()) > 300
    assert "unseen" not in {said for _, said in found}, found


@pytest.mark.parametrize("share", SHARES)
def test_fuses_of_cells(decoded, share):
    """Settings of slices, block RAMs and multipliers, in use and not."""
    used = map(tuple, decoded.fuses.positions(MODE)[::share].tolist())
    everywhere = fuses_of(decoded, decoded.tiles, BLOCKS)[:: 20 * share]
    found = outcomes(decoded, used) + outcomes(decoded, everywhere)
    assert len(found) > 3
    assert "unseen" not in {said for _, said in found}, found


@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_any_fuse_of_the_chip(decoded, count):
    """A sample of all that have a meaning, most of them in tiles that are empty."""
    chip, generator = decoded.chip, random.Random(7)
    found = Counter()
    while sum(found.values()) < count:
        position = generator.randrange(chip.top[-1]), generator.randrange(chip.left[-1])
        if group_of(decoded, position):
            found += outcomes(decoded, [position])
    assert "unseen" not in {said for _, said in found}, found
    assert found["lut", "refused"] > 50, "tables of empty tiles are refused"


# One file that a whole proof once called equal: ten fuses and four fields.


def pad_flips(decoded, port, attribute, value):
    """Fuses to flip so that a pad has another attribute."""
    chip = decoded.chip
    site = next(site for site in chip.pad_sites if site.port == port)
    tile, table = decoded.tiles[site.row, site.column], f"IOB{site.letter}"
    wanted = site.wanted(tile.pads[table], bank_used=True)
    kind = chip.kind(site.row, site.column).number
    flips = chip.pads.pad(kind, table, wanted) ^ chip.pads.pad(
        kind, table, {**wanted, attribute: value}
    )
    return [(chip.top[site.row] + row, chip.left[site.column] + at) for row, at in flips]


def pll_flips(decoded, changes):
    """Fuses to flip so that the PLL has other attributes."""
    chip = decoded.chip
    (name,) = (cell.name for cell in decoded.netlist.cells if cell.kind == "PLL")
    site = next(s for s in chip.sites if s.kind == "PLL" and name == f"X{s.column}Y{s.row}_PLL")
    table = chip.block_table("PLL", "PLL", site, BLOCK_TILES["PLL"])
    now = attributes_for(chip.board, decoded.clock_hz / 1e6)
    flips = table.encode(now, chip.pll_zeros) ^ table.encode(now | changes, chip.pll_zeros)
    places = [(site.tile(number), row, column) for number, row, column in sorted(flips)]
    return [(chip.top[tile[0]] + row, chip.left[tile[1]] + column) for tile, row, column in places]


def fixed_flips(decoded, group):
    """The first fuse of a group that is set."""
    special = special_tiles(decoded)
    return [next(p for p in fuses_of(decoded, special, (group,)) if decoded.bitmap[p])]


def empty_table(decoded):
    """A bit of a LUT in a tile without any fuse."""
    empty = next(
        where
        for where, tile in decoded.tiles.items()
        if not tile.masks and decoded.chip.kind(*where).luts
    )
    return fuses_of(decoded, [empty], ("lut",))[5:6]


FUSES = {
    "rx pulled down": lambda chip: pad_flips(chip, "uart_0__rx__io", "PULLMODE", "DOWN"),
    "rx not pulled": lambda chip: pad_flips(chip, "uart_0__rx__io", "PULLMODE", "NONE"),
    "tx drives 24 mA": lambda chip: pad_flips(chip, "uart_0__tx__io", "DRIVE", "24"),
    "tx drives 4 mA": lambda chip: pad_flips(chip, "uart_0__tx__io", "DRIVE", "4"),
    "tx slow": lambda chip: pad_flips(chip, "uart_0__tx__io", "SLEWRATE", "SLOW"),
    "VCO too fast": lambda chip: pll_flips(chip, {"ODIV": 32}),
    "charge pump": lambda chip: pll_flips(chip, {"ICPSEL": 100}),
    "loop filter": lambda chip: pll_flips(chip, {"LPR": "R6"}),
    "band of the reference": lambda chip: pll_flips(chip, {"FLDCOUNT": 32}),
    "no global reset": lambda chip: fixed_flips(chip, "GSR"),
    "configuration": lambda chip: fixed_flips(chip, "CFG"),
    "constant": lambda chip: fixed_flips(chip, "constant"),
    "table of an empty tile": empty_table,
}
FIELDS = {
    "configuration word": (0, 4, 1 << 13),
    "address in the flash memory": (0, 7, 1),
    "frames without CRC": (0, 9, 1 << 23),
    "last CRC": (1, 0, 0x3473),
    "sum": (1, 1, 1),
}
ATTACK = (
    *("rx pulled down", "tx drives 24 mA", "VCO too fast", "charge pump", "no global reset"),
    *("table of an empty tile", "configuration word", "address in the flash memory"),
    *("last CRC", "sum"),
)


@pytest.fixture(params=["decoded", "device"])
def chip(request):
    return request.getfixturevalue(request.param)


def write(chip, path, faults):
    """A bitstream with some of FUSES and FIELDS, with CRCs and a sum that fit the fuses."""
    flips = [position for name in faults if name in FUSES for position in FUSES[name](chip)]
    bitmap = chip.bitmap.copy()
    for position in flips:
        bitmap[position] ^= 1
    frames = [np.packbits(row[::-1]).tobytes() for row in bitmap]
    lines = [header(TANGNANO20K, len(frames)), footer(frames[: TANGNANO20K.tile_frames])]
    for name in faults:
        if name in FIELDS:
            part, at, wrong = FIELDS[name]
            line = lines[part][at]
            lines[part][at] = (int.from_bytes(line, "big") ^ wrong).to_bytes(len(line), "big")
    path.write_bytes(sealed(lines[0], frames, lines[1]))
    return len(flips)


def test_without_a_fault(decoded, tmp_path, bitstream):
    write(decoded, tmp_path / "same.fs", ())
    assert (tmp_path / "same.fs").read_bytes() == bitstream.read_bytes()


@pytest.mark.parametrize("name", FUSES)
def test_fuses_are_refused(chip, name):
    flips = FUSES[name](chip)
    assert flips
    with pytest.raises(InputError):
        chip.with_flips(flips).account.check()


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_refused(decoded, tmp_path, name):
    path = tmp_path / "x.fs"
    write(decoded, path, [name])
    with pytest.raises(InputError, match="in its header|behind its frames"):
        check_bitstream(path, board=TANGNANO20K)


def test_the_attack(chip, tmp_path):
    """Flash refuses its fields without the chip database; its fuses the decoder."""
    path = tmp_path / "attack.fs"
    assert write(chip, path, ATTACK) >= 6
    refuse_fuses = partial(decode, board=TANGNANO20K)
    for refuse in (flash, refuse_fuses, prove):
        with pytest.raises(InputError, match="in its header"):
            refuse(path)
    write(chip, path, [name for name in ATTACK if name in FUSES])
    assert len(read_frames(path, board=TANGNANO20K)) == len(chip.bitmap)
    for refuse in (refuse_fuses, prove):
        with pytest.raises(InputError, match=r"^tile X\d+Y\d+ of the bitstream: the fuse"):
            refuse(path)


def prove(path):
    run(path, board="tangnano20k", image=image_of(None), tokens=2, tell=print)


@pytest.mark.parametrize("clock_mhz", TANGNANO20K.dividers)
def test_every_clock_of_the_board(chip, clock_mhz):
    """The fuses of another clock are that clock; with any one of them wrong they are refused."""
    flips = pll_flips(chip, attributes_for(TANGNANO20K, clock_mhz))
    other = chip.with_flips(flips)
    other.account.check()
    other.check_clock(clock_mhz)
    for position in flips:
        with pytest.raises(InputError):
            _ = other.with_flips([position]).netlist


@pytest.mark.quick
def test_a_clock_of_no_board(decoded, monkeypatch):
    others = {mhz: each for mhz, each in TANGNANO20K.dividers.items() if mhz != 54.0}
    monkeypatch.setattr(decoded.chip, "board", replace(TANGNANO20K, dividers=others))
    with pytest.raises(InputError, match="makes 54 MHz, which is no clock of tangnano20k"):
        _ = decoded.with_flips([]).netlist
