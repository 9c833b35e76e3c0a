# SPDX-License-Identifier: MIT
"""Settings of the whole chip: its global reset, and which configuration pins the design gets."""

from __future__ import annotations

from itertools import product
from typing import Any

from glintfpga.sim.decode.attributes import fuses_of

__all__ = ["settings_of"]

_FREED = ("SSPI_AS_GPIO", "MSPI_AS_GPIO")
_PINS = (
    *_FREED,
    *("JTAG_AS_GPIO", "DONE_AS_GPIO", "RECONFIG_AS_GPIO", "READY_AS_GPIO", "I2C_AS_GPIO"),
    *("CPU_AS_GPIO_25", "CPU_AS_GPIO_0", "CPU_AS_GPIO_1"),
)


def settings_of(database: Any, kind: int, table: str) -> set[frozenset[tuple[int, int]]]:
    """The fuses of table `table`, GSR or CFG, in every way that a build of ours sets them."""
    from apycula import attrids

    rules = database.shortval[kind][table]
    logic = database.logicinfo[table]
    prefix = table.lower()
    names = getattr(attrids, f"{prefix}_attrids")
    values = getattr(attrids, f"{prefix}_attrvals")

    def fuses(*pairs: tuple[str, str]) -> set[tuple[int, int]]:
        codes = {logic.get((names[key], values[value])) for key, value in pairs}
        return fuses_of({code for code in codes if code}, rules)

    if table == "GSR":
        return {frozenset(fuses(("GSRMODE", "ACTIVE_LOW")))}
    fixed = [("GSR", "USED"), ("GOE", "F0"), ("GSR", "F0"), ("DONE", "F0"), ("GWD", "F0")]
    cleared = fuses(*((pin, "YES") for pin in _PINS))
    found = set()
    for chosen in product((False, True), repeat=len(_FREED)):
        free = [(pin, "YES") for pin, yes in zip(_FREED, chosen, strict=True) if yes]
        found.add(frozenset((fuses(*fixed) - cleared) | (fuses(*free) if free else set())))
    return found
