# SPDX-License-Identifier: MIT
"""Tells when a simulated device only waits for its line, so that nobody has to compute it."""

from functools import cached_property

from glintfpga.firmware.protocol import FALLBACK_S
from glintfpga.sim.compiled import CompiledSim, Item

__all__ = ["BAUD", "Rest"]

BAUD = "service link baud"
"""Register of the device's rate, an index into `BAUDS`."""
SILENCE = "service link silent"
"""Register that counts the ticks without a valid frame. After `FALLBACK_S` of them the device goes
back to the first rate; there the count has no effect."""
FREE = "transmitter phase"
"""Register that never stands still; it times bits, and there are none."""
TICKS_PER_S = 1000
"""All timers of the device count milliseconds."""
PATIENCE_TICKS = 2
"""Without a byte, before the first look: a look costs as much time as a tenth of a tick."""
LAST_TICK = round(FALLBACK_S * TICKS_PER_S) - 1


class Rest:
    """Watches a simulated device stand still.

    A device whose registers are what they were a whole tick ago goes on like that until something
    comes in, as registers and line alone decide what follows. Compared are all registers that the
    simulation shows by name but two: `FREE`, and `SILENCE`, which `skip` counts on.

    Members: ``found``, whether the device stands still.
    """

    def __init__(self, sim: CompiledSim):
        self._sim = sim
        self._tick_cycles = round(sim.clk_hz / TICKS_PER_S)
        self._part = 0
        self.end()

    @cached_property
    def _items(self) -> dict[str, Item]:
        items = map(self._sim.item, self._sim.names())
        return {item.name: item for item in items if not item.is_memory}

    def end(self) -> None:
        """The line moves: what was seen so far says nothing any more."""
        self.found = False
        self._state: dict[str, int] = {}
        self._due = self._sim.cycles + PATIENCE_TICKS * self._tick_cycles

    @property
    def cycles_to_look(self) -> int:
        """How many cycles from now on `look` is due."""
        return max(1, self._due - self._sim.cycles)

    def look(self) -> None:
        """Compare the device with what it was a tick ago, if that is due."""
        late = self._sim.cycles - self._due
        if late < 0:
            return
        if late or self._sim.unsent or self._sim.waiting:
            self.end()
            return
        compared = self._items.keys() - {SILENCE, FREE}
        state = {name: self._items[name].peek() for name in compared}
        self.found = state == self._state
        self._state = state
        self._due += self._tick_cycles

    def skip(self, cycles: int) -> int:
        """Let up to so many cycles pass at once, until the next event; returns how many did."""
        silence = self._items.get(SILENCE)
        if silence is None or self._items[BAUD].peek() == 0:
            return cycles
        ticks = silence.peek()
        left = max(0, (LAST_TICK - ticks) * self._tick_cycles - self._part)
        passed = min(cycles, left)
        more, self._part = divmod(self._part + passed, self._tick_cycles)
        silence.poke(ticks + more)
        if passed == left:
            self.end()
        return passed
