# SPDX-License-Identifier: MIT
"""Detects that a simulated device only waits for its line: that time need not be computed."""

from functools import cached_property

from glintfpga.firmware.wire.protocol import FALLBACK_S, RETRY_S
from glintfpga.sim.compiled import CompiledSim, Item

__all__ = ["BAUD", "Rest"]

BAUD = "service link baud"
"""Register of the device's rate, an index into `BAUDS`."""
SILENCE = "service link silent"
TICKS_PER_S = 1000
TIMERS = {
    SILENCE: round(FALLBACK_S * TICKS_PER_S),
    "service link sender waited": round(RETRY_S * TICKS_PER_S),
}
"""Timers, in ms, and the count at which each fires: without a valid frame the device returns to the
first rate; without an ack it sends again."""
FREE = "transmitter phase"
"""Free-running phase of the transmitter; it has no effect while nothing is sent, so it is not
compared."""
PATIENCE_TICKS = 2
"""Ticks without a byte before the first comparison, which costs as much as simulating 0.1 tick."""


class Rest:
    """Detects an idle device: if no register changed during a tick, none will change until a byte
    arrives or a timer fires.

    Compared are all registers that the simulation shows by name, except `FREE`; the `TIMERS` may
    have counted on by one, and `skip` lets them count until one is about to fire.

    Exact to a tick: a rest skips whole ticks and leaves the prescaler of the tick where it was, so
    each rest that bytes end takes up to a millisecond off both timers.

    Members: ``found``, whether the device is idle.
    """

    def __init__(self, sim: CompiledSim):
        self._sim = sim
        self._tick_cycles = round(sim.clk_hz / TICKS_PER_S)
        self.end()

    @cached_property
    def _items(self) -> dict[str, Item]:
        items = [self._sim.item(name) for name in self._sim.names() if name != FREE]
        return {item.name: item for item in items if not item.is_memory}

    def end(self) -> None:
        """The line moves: what was seen so far no longer counts."""
        self.found = False
        self._state: dict[str, int] = {}
        self._counting: list[str] = []
        self._part = 0
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
        before, self._state = self._state, {name: i.peek() for name, i in self._items.items()}
        self._due += self._tick_cycles
        if not before:
            return
        changed = {name: now - before[name] for name, now in self._state.items()}
        changed = {name: by for name, by in changed.items() if by}
        self.found = all(name in TIMERS and by == 1 for name, by in changed.items())
        # At the first rate there is none to go back to.
        self._counting = [n for n in changed if n != SILENCE or self._state.get(BAUD)]

    def skip(self, cycles: int) -> int:
        """Let up to so many cycles pass at once, until a timer is due; returns how many did."""
        if not self._counting:
            return cycles
        ticks = min(TIMERS[name] - 1 - self._items[name].peek() for name in self._counting)
        left = max(0, ticks * self._tick_cycles - self._part)
        passed = min(cycles, left)
        more, self._part = divmod(self._part + passed, self._tick_cycles)
        for name in self._counting:
            self._items[name].poke(self._items[name].peek() + more)
        if passed == left:
            self.end()
        return passed
