# SPDX-License-Identifier: MIT
"""Fuses that no design changes: global reset, configuration pins, and some that are always set."""

from typing import Any

from glintfpga.sim.gowin.decode.attributes import fuses_of

__all__ = ["constants_of"]

_PINS = (
    *("JTAG_AS_GPIO", "SSPI_AS_GPIO", "MSPI_AS_GPIO", "DONE_AS_GPIO", "RECONFIG_AS_GPIO"),
    *("READY_AS_GPIO", "I2C_AS_GPIO", "CPU_AS_GPIO_25", "CPU_AS_GPIO_0", "CPU_AS_GPIO_1"),
)

_Fuses = set[tuple[int, int]]


def constants_of(database: Any, pack_options: tuple[str, ...]) -> dict[tuple[int, int], _Fuses]:
    """By tile the fuses of GSR, CFG and constant that are set, as the packer sets them.

    The packer's options say which configuration pins the design gets.
    """
    found: dict[tuple[int, int], _Fuses] = {}
    freed = {option.strip("-").upper() for option in pack_options}
    for row in range(database.rows):
        for column in range(database.cols):
            kind = database.grid[row][column]
            tables = database.shortval.get(kind, {})
            fuses = set(database.const.get(kind, ()))
            if "GSR" in tables:
                fuses |= _encode(database, kind, "GSR", [("GSRMODE", "ACTIVE_LOW")])
            if "CFG" in tables:
                fuses |= _configuration(database, kind, freed)
            if fuses:
                found[row, column] = fuses
    return found


def _configuration(database: Any, kind: int, freed: set[str]) -> _Fuses:
    used = [("GSR", "USED"), ("GOE", "F0"), ("GSR", "F0"), ("DONE", "F0"), ("GWD", "F0")]
    kept = _encode(database, kind, "CFG", used)
    kept -= _encode(database, kind, "CFG", [(pin, "YES") for pin in _PINS])
    given = [(pin, "YES" if pin in freed else "UNKNOWN") for pin in _PINS]
    return kept | _encode(database, kind, "CFG", given)


def _encode(database: Any, kind: int, table: str, attributes: list[tuple[str, str]]) -> _Fuses:
    from apycula import attrids

    logic = database.logicinfo[table]
    names = getattr(attrids, f"{table.lower()}_attrids")
    values = getattr(attrids, f"{table.lower()}_attrvals")
    codes = {logic.get((names[key], values[value])) for key, value in attributes}
    return fuses_of({code for code in codes if code}, database.shortval[kind][table])
