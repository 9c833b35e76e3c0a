# SPDX-License-Identifier: MIT
"""Two simulations of one design, run side by side and compared cycle by cycle."""

import itertools
from typing import TypeVar

from glintfpga.quant.errors import DeviceError
from glintfpga.sim.compiled import CompiledSim, Item

__all__ = ["TwinSim"]

REGISTERS_EVERY = 50
"""Runs from one comparison of all registers to the next: it costs as much as 1,000 cycles."""
MEMORIES_EVERY = 5000
_T = TypeVar("_T")


class TwinSim:
    """Stands for a `CompiledSim` behind a line: both get the same bytes at the same cycles.

    Compared are, at the end of each run, the cycles it took, the bytes that came, and all ports;
    now and then all registers that both show by name, and all memories. A run that waits for bytes
    ends with one, so each byte has to come in the same cycle.

    Raises ``DeviceError`` with the place of the first difference.
    """

    def __init__(self, one: CompiledSim, other: CompiledSim):
        self._sims = (one, other)
        self.clk_hz = one.clk_hz
        self._runs = itertools.count(1)
        names = [name for name in one.names() if name in set(other.names())]
        self._items = [(one.item(name), other.item(name)) for name in names]
        self._ports = [pair for pair in self._items if " " not in pair[0].name]

    @property
    def cycles(self) -> int:
        return self._same("cycles", *(sim.cycles for sim in self._sims))

    @property
    def waiting(self) -> int:
        return self._same("bytes that wait", *(sim.waiting for sim in self._sims))

    @property
    def unsent(self) -> int:
        return self._same("bytes not sent", *(sim.unsent for sim in self._sims))

    def set_baud(self, baud: float) -> None:
        for sim in self._sims:
            sim.set_baud(baud)

    def put(self, data: bytes) -> None:
        for sim in self._sims:
            sim.put(data)

    def get(self, most: int | None = None) -> bytes:
        return self._same("bytes", *(sim.get(most) for sim in self._sims))

    def run(self, cycles: int, *, wanted: int = 0) -> int:
        used = self._same("cycles", *(sim.run(cycles, wanted=wanted) for sim in self._sims))
        number = next(self._runs)
        self._compare(self._ports)
        if number % REGISTERS_EVERY == 0:
            self._compare([pair for pair in self._items if not pair[0].is_memory])
        if number % MEMORIES_EVERY == 0:
            self.compare_all()
        return used

    def compare_all(self) -> None:
        """Compare every port, register and memory."""
        self._compare(self._items)

    def _compare(self, pairs: list[tuple[Item, Item]]) -> None:
        for one, other in pairs:
            self._same(repr(one.name), one.peek_rows(0, one.rows), other.peek_rows(0, other.rows))

    def _same(self, what: str, one: _T, other: _T) -> _T:
        if one != other:
            cycles = self._sims[0].cycles
            raise DeviceError(f"after {cycles} cycles: {what} {one!r:.80}, not {other!r:.80}")
        return one
