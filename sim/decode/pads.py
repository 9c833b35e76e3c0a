# SPDX-License-Identifier: MIT
"""Pads: direction from their fuses, names from the board.

A pad's fuses encode some twenty electrical settings at once, so they are recognized whole: the
settings that a build of ours can have are written by the database's tables until one matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.sim.decode.attributes import fuses_of

__all__ = ["BANK", "INPUT", "OUTPUT", "TRISTATE", "UNUSED", "PadTables", "pad_names"]

UNUSED = "unused"
INPUT = "input"
OUTPUT = "output"
TRISTATE = "tri-state"
BANK = "bank"

_VOLTAGES = {"LVCMOS33": "3.3", "LVCMOS25": "2.5", "LVCMOS18": "1.8", "LVCMOS12": "1.2"}
_PULLS = ("UP", "NONE", "DOWN", "KEEPER")
_DRIVES = ("8", "4", "12", "16", "24")

_COMMON = {"HYSTERESIS": "NONE", "CLAMP": "OFF", "OPENDRAIN": "OFF", "LVDS_OUT": "OFF"}
_INPUT = {
    **_COMMON,
    "PADDI": "PADDI",
    "SLEWRATE": "SLOW",
    "DRIVE": "0",
    "DIFFRESISTOR": "OFF",
    "VREF": "OFF",
}
_DRIVER = {**_COMMON, "SLEWRATE": "FAST", "SINGLERESISTOR": "OFF", "DDR_DYNTERM": "NA"}
_SWITCHED = {**_DRIVER, "ODMUX_1": "UNKNOWN", "PERSISTENT": "OFF", "ODMUX": "TRIMUX"}
_BOTH = {"PADDI": "PADDI", "DIFFRESISTOR": "OFF"}
# What the packer writes for the ways to use a pad; an enable that is tied on is one of its own.
_USES: tuple[tuple[str, Mapping[str, str]], ...] = (
    (OUTPUT, {**_SWITCHED, "TO": "INV", "TRIMUX_PADDT": "SIG"}),
    (OUTPUT, {**_DRIVER, "ODMUX_1": "1", "TO": "INV"}),
    (TRISTATE, {**_SWITCHED, "TO": "SIG", "TRIMUX_PADDT": "SIG"}),
    (TRISTATE, {**_SWITCHED, **_BOTH, "TO": "SIG", "TRIMUX_PADDT": "SIG"}),
    (TRISTATE, {**_SWITCHED, **_BOTH, "TO": "INV", "TRIMUX_PADDT": "SIG"}),
)


class PadTables:
    """Meanings of the fuses of pads and of their banks."""

    def __init__(self, database: Any):
        from apycula import attrids

        self._database = database
        self._names: Mapping[str, int] = attrids.iob_attrids
        self._values: Mapping[str, int] = attrids.iob_attrvals
        self.use = lru_cache(maxsize=4096)(self._use)

    def _use(self, kind: int, table: str, fuses: frozenset[tuple[int, int]]) -> str | None:
        """How a pad is used, `BANK` for settings of a bank, None if the fuses are unknown."""
        rules = self._database.longval[kind][table]
        if table == "BANK":
            banks = sorted({key[0] for key in rules})
            parts = [self._bank_fuses(rules, bank) for bank in banks]
            for chosen in product(*parts):
                if frozenset().union(*chosen) == fuses:
                    return BANK
            return None
        for use, attributes in _candidates():
            if fuses_of(self._codes(attributes), rules) == fuses:
                return use
        return None

    def _bank_fuses(self, rules: Mapping[Any, Any], bank: int) -> list[frozenset[tuple[int, int]]]:
        own = {key[1:]: bits for key, bits in rules.items() if key[0] == bank}
        found = {frozenset(fuses_of(self._codes(each), own)) for each in _bank_candidates()}
        return sorted(found, key=sorted)

    def _codes(self, attributes: Mapping[str, str]) -> set[int]:
        logic = self._database.logicinfo["IOB"]
        pairs = ((self._names[key], self._values[value]) for key, value in attributes.items())
        return {code for pair in pairs if (code := logic.get(pair))}


def _candidates() -> Iterator[tuple[str, dict[str, str]]]:
    for standard, volts in _VOLTAGES.items():
        yield UNUSED, {"IO_TYPE": standard, "BANK_VCCIO": volts}
    for pull, volts, drive in product(_PULLS, _VOLTAGES.values(), _DRIVES):
        electrical = {"IO_TYPE": "LVCMOS33", "PULLMODE": pull, "BANK_VCCIO": volts}
        if drive == _DRIVES[0]:
            yield INPUT, {**_INPUT, **electrical}
        for use, attributes in _USES:
            yield use, {**attributes, **electrical, "DRIVE": drive}


def _bank_candidates() -> Iterator[dict[str, str]]:
    for volts in _VOLTAGES.values():
        yield {"BANK_VCCIO": volts}
        for standard, drive in product(_VOLTAGES, ("0", *_DRIVES)):
            yield {
                "BANK_VCCIO": volts,
                "IO_TYPE": standard,
                "DRIVE": drive,
                "OPENDRAIN": "OFF",
                "LVDS_OUT": "OFF",
            }


def pad_names(database: Any, board: Board) -> dict[tuple[int, int, str], str]:
    """Row, column and letter of each pad that the board uses -> the port's name in a build."""
    package, device, _ = database.packages[board.part]
    pins = database.pinout[device][package]
    names = {}
    for pin, port in _ports(board.platform()):
        side, number, letter = pins[pin][0][2], int(pins[pin][0][3:-1]) - 1, pins[pin][0][-1]
        where = {
            "T": (0, number),
            "B": (database.rows - 1, number),
            "L": (number, 0),
            "R": (number, database.cols - 1),
        }[side]
        names[*where, letter] = port
    return names


def _ports(platform: Any) -> Iterator[tuple[str, str]]:
    """Pins and the names that Amaranth gives to their ports."""

    def walk(resource: Any, name: str) -> Iterator[tuple[str, str]]:
        for part in resource.ios:
            if hasattr(part, "ios"):
                yield from walk(part, f"{name}__{part.name}")
            elif hasattr(part, "names"):
                for at, pin in enumerate(part.names):
                    yield pin, f"{name}__io" if len(part.names) == 1 else f"{name}__io[{at}]"

    for (name, number), resource in platform.resources.items():
        yield from walk(resource, f"{name}_{number}")
