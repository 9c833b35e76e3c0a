# SPDX-License-Identifier: MIT
"""Delays of one speed grade: what the chip database has, and what is assumed where it has none.

The database has four numbers per delay (an edge each of input and output); the largest counts, for
hold the smallest. They are of the slow corner. Read from it (groups and keys are the database's):

    LUT, carry        lut a_f ..., alu a_f, a0_fco, fci_fco ...
    flip-flop         dff clk_q, di, ce and lsr set-up and hold
    block RAM         bram clk_do_bypass, set-up of every pin
    LUT RAM           sram rad0_do, clk_do, set-up of every pin
    wires             wire X0, FX1, X2, X8 ...: a hop costs the class of the wire it starts on
    fan-out           fanout X8Fan / X8FanNum ...: a wire costs that for each hop that leaves it
    clock             glbsrc CENT_SPINE_PCLK ...
    long wires        glbsrc CENT_SPINE_SCLK, SPINE_TAP_SCLK_0, TAP_BRANCH_SCLK: the database does
                      not say that these are theirs; their names and the structure do

Nothing in it is about multipliers and pads: see `Assumptions`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.gowin.wires import Wires
from glintfpga.boards.toolchain import GOWIN_PACK
from glintfpga.quant.errors import InputError

__all__ = ["ASSUMED", "Assumptions", "Delay", "Delays", "delays_of"]


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What no table has, in ns. Every report names these numbers."""

    multiplier: float = 4.5
    """From operands to product, without registers. Derived from a public design on this board:
    block RAM, unregistered 16 x 16 multiplier and register in 7.41 ns, 500 trials exact
    (rylanmalarchick/tang-nano-20k-matvec): 7.41 - 2.26 - 2 x 0.3 - 0.04."""
    multiplier_setup: float = 0.3
    """Of an operand register."""
    multiplier_clock_to_out: float = 0.5
    """Of the product register."""
    pad: float = 0.0
    """From pad to wire and back. What is beyond is not synchronous to the clock: UART, lights."""


ASSUMED = Assumptions()

_LONG_WIRES = {
    "LW_SPAN": "CENT_SPINE_SCLK",
    "LW_TAP": "SPINE_TAP_SCLK_0",
    "LW_TAP_0": "SPINE_TAP_SCLK_0",
    "LW_BRANCH": "TAP_BRANCH_SCLK",
}
_CLOCK_WIRES = {"GCLK_BRANCH": "BRANCH_PCLK"}
# Pins, not wires: the delay behind them is in the arcs of their cell.
_PINS = frozenset(("LUT_IN", "LUT_OUT", "FF_OUT", "OF", "DI", "SEL", "CIN", "COUT", "VCC", "VSS"))
_FAN_OUT = {"LUT_OUT": "FFan", "FF_OUT": "QFan", "OF": "OFFan"}
_GRADE = re.compile(r"C\d/I\d$")


@dataclass(frozen=True, order=True)
class Delay:
    """The longest and the shortest of the database's four numbers, in ns."""

    longest: float
    shortest: float


_NO_DELAY = Delay(0.0, 0.0)


class Delays:
    """The tables of one chip and grade. Raises ``InputError`` for a grade that they do not have."""

    def __init__(self, database: Any, *, part: str):
        match = _GRADE.search(part)
        if match is None or match[0] not in database.timing:
            raise InputError(f"the chip database has no delays for the speed grade of {part!r}")
        self.grade = match[0]
        self.database = database
        self.wires = Wires(database)
        self._table: Mapping[str, Mapping[str, Sequence[float]]] = database.timing[self.grade]

    @cache  # noqa: B019
    def of(self, group: str, name: str) -> Delay:
        """One delay of the tables."""
        four = self._table[group][name]
        return Delay(max(four), min(four))

    def hop(self, wire: str) -> Delay | None:
        """Delay of a hop that starts on ``wire``; None where the database has no number."""
        kind = self.database.wire_delay.get(wire)
        if kind is None:
            return None
        if kind in _PINS:
            return _NO_DELAY
        if kind in _LONG_WIRES:
            return self.of("glbsrc", _LONG_WIRES[kind])
        for group, name in (("wire", kind), ("glbsrc", _CLOCK_WIRES.get(kind, kind))):
            if kind != "ISB" and name in self._table[group]:
                return self.of(group, name)
        return None

    def is_long(self, wire: str) -> bool:
        """Whether it is a long wire, which the router times as nothing."""
        return self.database.wire_delay.get(wire) in _LONG_WIRES

    def load(self, wire: str) -> float:
        """What each hop that leaves ``wire`` adds to the delay of all of them."""
        kind = self.database.wire_delay.get(wire, "")
        name = _FAN_OUT.get(kind, f"{kind}Fan")
        if name not in self._table["fanout"]:
            return 0.0
        return self.of("fanout", name).longest / self._table["fanout"][f"{name}Num"]  # type: ignore[operator]


@lru_cache(maxsize=1)
def _delays(chip_database: str, part: str) -> Delays:
    GOWIN_PACK.version()  # EnvironmentProblem where the database is not installed
    from apycula.chipdb import load_chipdb

    name = f"{chip_database}.msgpack.xz"
    with resources.as_file(resources.files("apycula") / name) as path:
        return Delays(load_chipdb(str(path)), part=part)


def delays_of(board: Board) -> Delays:
    """The delays of a board's chip, loaded once (a second).

    Raises ``EnvironmentProblem`` when the package with the database is not installed.
    """
    return _delays(board.chip_database, board.part)
