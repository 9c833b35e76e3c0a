# SPDX-License-Identifier: MIT
"""Parts of the decoder that need no bitstream."""

import pytest

from glintfpga.boards.gowin.bitstream_file import footer, header
from glintfpga.boards.gowin.carry import FAULTY, REPAIRED
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.attributes import Table, fuses_of
from glintfpga.sim.gowin.decode.chip import chip_of
from glintfpga.sim.gowin.decode.contents import FRAMES
from glintfpga.sim.gowin.decode.extract import cofactor
from glintfpga.sim.gowin.decode.routing import drivers_of, redrive
from glintfpga.sim.gowin.decode.tiles import Tile

# Attributes x (values 1, 2, 3 with nested fuses) and y, which is written unless it is 5.
RULES = {
    0: {(1, 0): {(0, 0)}, (2, 0): {(0, 0), (0, 1)}, (-4, 0): {(9, 9)}},
    1: {(2, 0): {(3, 3)}, (1, 4): {(8, 8)}},
}
TABLE = Table(
    rules=RULES,
    codes={(10, 1): 1, (10, 2): 2, (20, 5): 4},
    names={"x": 10, "y": 20},
    values={"ONE": 1, "TWO": 2, "FIVE": 5},
)


def test_rules():
    assert fuses_of({1}, RULES[0]) == {(0, 0), (9, 9)}
    assert fuses_of({1, 4}, RULES[0]) == {(0, 0)}
    assert fuses_of({1, 4}, RULES[1]) == {(8, 8)}
    assert fuses_of((), RULES[0]) == {(9, 9)}


def test_attributes_there_and_back():
    written = TABLE.encode({"x": "TWO", "y": "FIVE"})
    assert written == {(0, 0, 0), (0, 0, 1), (1, 3, 3)}
    assert TABLE.read("x", written) == 2
    assert TABLE.read("x", {(0, 0, 0)}) == 1
    assert TABLE.read("x", {(0, 0, 1)}) is None
    assert TABLE.encode({"x": 1}) == {(0, 0, 0), (0, 9, 9)}
    assert TABLE.encode({"x": 1}, extra={4}) == {(0, 0, 0), (1, 8, 8)}


@pytest.mark.parametrize("pin", range(4))
@pytest.mark.parametrize("value", (0, 1))
@pytest.mark.parametrize("table", (0x0000, 0xFFFF, 0x8000, 0x6996, 0xCAFE, FAULTY, REPAIRED))
def test_cofactor(table, pin, value):
    expected = 0
    for at in range(16):
        fixed = at | 1 << pin if value else at & ~(1 << pin)
        expected |= (table >> fixed & 1) << at
    assert cofactor(table, pin, value) == expected


def test_wires_have_one_name():
    """A wire as its neighbors call it, wires that turn back at the edge, one-hop and long ones."""
    chip = chip_of(TANGNANO20K)
    assert chip.node(10, 10, "N251") == chip.node(11, 10, "N250") == (11, 10, "N25")
    assert chip.node(10, 10, "E838") == (10, 2, "E83")
    assert chip.node(10, 3, "E838") == (10, 4, "W83")
    assert chip.node(0, 10, "S201") == (0, 10, "N20")
    assert chip.node(9, 10, "N111") == chip.node(11, 10, "S111") == chip.node(10, 10, "SN10")
    assert chip.node(10, 11, "E121") == chip.node(10, 9, "W121") == chip.node(10, 10, "EW20")
    top, bottom = chip.wires.segments[0]
    assert chip.node(*top) == chip.node(*bottom)
    clock = chip.database.nodes["SPINE24"][1]
    assert len({chip.node(*member) for member in clock}) == 1 < len(clock)


@pytest.mark.quick
def test_two_drivers():
    node, one, two = (3, 4, "X01"), (3, 4, "F0"), (3, 4, "F1")
    first, second = Tile({}, ((node, one),)), Tile({}, ((node, two),))
    assert drivers_of([first]) == {node: one}
    assert redrive({node: one}, [(first, second)]) == {node: two}
    for attempt in (
        lambda: drivers_of([first, second]),
        lambda: redrive({node: one}, [(Tile({}), second)]),
    ):
        with pytest.raises(InputError, match="^tile X4Y3 of the bitstream: wire X01 has two driv"):
            attempt()


def test_every_source_has_fuses_of_its_own():
    """No mux of any kind of tile has two sources that cannot be told apart; `kind_of` asserts."""
    chip = chip_of(TANGNANO20K)
    kinds = [chip.kind_by_number(number) for number in chip.database.tiles]
    assert sum(len(kind.features) for kind in kinds) > 5000
    for kind in kinds:
        fuses = [bit for feature in kind.features for bit in feature.bits]
        assert len(kind.owner) == len(set(fuses))


def test_header_and_frames_of_the_packer():
    """What `boards.gowin.bitstream_file` and the board say, the chip database says too."""
    chip = chip_of(TANGNANO20K)
    assert [bytes(line) for line in chip.database.cmd_hdr] == header(TANGNANO20K, 0)
    assert [bytes(line) for line in chip.database.cmd_ftr] == footer([])
    assert TANGNANO20K.tile_frames == chip.top[-1]
    assert TANGNANO20K.contents_frames == FRAMES * len(chip.contents_rows)
    assert 8 * TANGNANO20K.frame_bytes == chip.left[-1]
