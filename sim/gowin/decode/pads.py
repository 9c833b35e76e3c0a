# SPDX-License-Identifier: MIT
"""Pads: their direction from the fuses, their names from the board.

A pad's fuses encode some twenty electrical settings at once, so they are recognized whole: the
settings that a build of ours can have are written by the database's tables until one matches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.sim.gowin.decode.attributes import fuses_of

__all__ = [
    *("BANK", "INPUT", "OUTPUT", "TRISTATE", "UNUSED"),
    *("PadSite", "PadTables", "bank_wanted", "pad_sites"),
]

UNUSED = "unused"
INPUT = "input"
OUTPUT = "output"
TRISTATE = "tri-state"
BANK = "bank"

_VOLTAGES = {"LVCMOS33": "3.3", "LVCMOS25": "2.5", "LVCMOS18": "1.8", "LVCMOS12": "1.2"}
_PULLS = ("UP", "NONE", "DOWN", "KEEPER")
_DRIVES = ("8", "4", "12", "16", "24")
_SPELLINGS = {"PULL_MODE": "PULLMODE", "SLEW_RATE": "SLEWRATE", "OPEN_DRAIN": "OPENDRAIN"}
"""Constraints that the packer has other names for."""
_BANK_STANDARDS = {False: "LVCMOS18", True: "LVCMOS12"}
"""Of banks without and with pads in use. The packer takes the voltage of pads without an enable
only, and ours all have one; so it calls 1.2 V what the board supplies with 3.3 V."""

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
# An output has an enable, which the tools tie to low: that is on.
_OUTPUT = {**_SWITCHED, "TO": "INV", "TRIMUX_PADDT": "SIG"}
# What the packer writes for the ways to use a pad.
_USES: tuple[tuple[str, Mapping[str, str]], ...] = (
    (OUTPUT, _OUTPUT),
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
        self._encoded = lru_cache(maxsize=4096)(self._encode)

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

    def pad(self, kind: int, table: str, wanted: Mapping[str, str]) -> frozenset[tuple[int, int]]:
        """The fuses of a pad with these attributes."""
        return self._encoded(kind, table, 0, tuple(wanted.items()))

    def bank(self, kind: int, bank: int, wanted: Mapping[str, str]) -> frozenset[tuple[int, int]]:
        """The fuses of one of the banks in a tile, with these attributes."""
        return self._encoded(kind, "BANK", bank, tuple(wanted.items()))

    def _encode(
        self, kind: int, table: str, bank: int, wanted: tuple[tuple[str, str], ...]
    ) -> frozenset[tuple[int, int]]:
        rules = self._database.longval[kind][table]
        if table == "BANK":
            rules = {key[1:]: bits for key, bits in rules.items() if key[0] == bank}
        return frozenset(fuses_of(self._codes(dict(wanted)), rules))

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


@dataclass(frozen=True)
class PadSite:
    """A place for a pad."""

    row: int
    column: int
    letter: str
    """A or B."""
    bank: int
    port: str | None
    """The port's name in a build; None where the board has no pin."""
    attributes: Mapping[str, str]
    """Those of the port, as the board's platform declares them: IO_TYPE, PULL_MODE and others."""

    @property
    def where(self) -> tuple[int, int, str]:
        """Row, column and letter."""
        return self.row, self.column, self.letter

    def wanted(self, use: str, bank_used: bool) -> dict[str, str]:
        """The attributes that the packer gives to the pad, for one of its uses."""
        standard = _BANK_STANDARDS[bank_used]
        bank = {"BANK_VCCIO": _VOLTAGES[standard]}
        if use not in (INPUT, OUTPUT):
            return {"IO_TYPE": standard, **bank}
        usual = _INPUT if use == INPUT else {**_OUTPUT, "DRIVE": _DRIVES[0]}
        own = {_SPELLINGS.get(name, name): value for name, value in self.attributes.items()}
        return {**usual, "PULLMODE": _PULLS[0], **own, **bank}


def bank_wanted(bank_used: bool) -> dict[str, str]:
    """The attributes that the packer gives to a bank."""
    return {"BANK_VCCIO": _VOLTAGES[_BANK_STANDARDS[bank_used]]}


def pad_sites(database: Any, board: Board) -> tuple[PadSite, ...]:
    """All pads of a chip, and what a board has there."""
    package, device, _ = database.packages[board.part]
    pins = database.pinout[device][package]
    ports = {pins[pin][0]: (port, own) for pin, port, own in _ports(board.platform())}
    found = []
    for name, bank in database.pin_bank.items():
        side, number, letter = name[2], int(name[3:-1]) - 1, name[-1]
        row, column = {
            "T": (0, number),
            "B": (database.rows - 1, number),
            "L": (number, 0),
            "R": (number, database.cols - 1),
        }[side]
        if f"IOB{letter}" in database[row, column].bels:
            port, own = ports.get(name, (None, {}))
            found.append(PadSite(row, column, letter, bank, port, own))
    return tuple(found)


def _ports(platform: Any) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Pins, the names that Amaranth gives to their ports, and their attributes."""

    def walk(
        resource: Any, name: str, outer: Mapping[str, str]
    ) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        own = {**outer, **resource.attrs}
        for part in resource.ios:
            if hasattr(part, "ios"):
                yield from walk(part, f"{name}__{part.name}", own)
            elif hasattr(part, "names"):
                for at, pin in enumerate(part.names):
                    port = f"{name}__io" if len(part.names) == 1 else f"{name}__io[{at}]"
                    yield pin, port, own

    for (name, number), resource in platform.resources.items():
        yield from walk(resource, f"{name}_{number}", {})
