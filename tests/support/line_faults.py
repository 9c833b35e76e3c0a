# SPDX-License-Identifier: MIT
"""A bad line: what can happen to bytes between host and device, at a rate, from a seed."""

import math
import random
from abc import abstractmethod
from collections import Counter
from enum import StrEnum
from typing import Protocol

from glintfpga.firmware.wire.byte_line import BRIDGE_DIVIDER, ByteLine, LinkLost

__all__ = ["BRIDGE_DIVIDER", "MAX_EVENTS", "Fault", "FaultyLine", "HungError", "ResettableLine"]

BURST_BYTES = 64
SWAP_BYTES = 16
STALLS_S = (0.01, 0.06, 0.3, 1.5)
"""Longest stall of each sort; one is drawn, then a length up to it. A host gives up after 2 s. The
next one begins no sooner than as long after the end: a line that stands still for good needs no
test."""
MAX_EVENTS = 8
"""Disconnections and resets in one conversation, so that one with a rate of 1 in 100 can end."""
AWAY_S = 0.3
"""How long a line that was lost cannot be opened."""


class Fault(StrEnum):
    """What happens at a byte. The last two only strike while the device answers."""

    FLIP = "bits flipped"
    LOSE = "bytes lost"
    DOUBLE = "bytes doubled"
    SWAP = "bytes reordered"
    BURST = "bursts"
    STALL = "stalls"
    UNPLUG = "disconnections"
    RESET = "device resets"


_EVENTS = (Fault.UNPLUG, Fault.RESET)


class HungError(Exception):
    """A conversation has not ended in its time."""


class ResettableLine(ByteLine, Protocol):
    """A line to a device that can be reset from here."""

    @abstractmethod
    def reset(self) -> None:
        """As the button on the board does; bytes on the line are lost."""


class _Way:
    """One direction of the line: bytes that have passed the faults and wait for a stall's end."""

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.until = 0.0
        self.calm_until = 0.0

    def stall(self, now: float, seconds: float) -> None:
        self.until = now + seconds
        self.calm_until = self.until + seconds


class FaultyLine(ByteLine):
    """A line to a device that keeps its bytes and order only now and then.

    Parameters:
        inner: the line without faults.
        faults: the kinds, one of which is drawn at each fault.
        rate: faults per byte, each way.
        seed: of everything that is drawn.
        divider: what the bridge divides rates by.

    Members: ``done``, the faults by kind; ``limit``, seconds of the clock after which `read` raises
    `HungError`, whatever the host does. `read` and `write` raise `LinkLost` from a disconnection on
    until `replug`; events do not strike more than `MAX_EVENTS` times.
    """

    name = "board"
    rate_factors = (1, BRIDGE_DIVIDER)

    def __init__(
        self,
        inner: ResettableLine,
        *,
        faults: tuple[Fault, ...],
        rate: float,
        seed: str,
        divider: int = 1,
    ):
        self.inner = inner
        self.limit = math.inf
        self.done: Counter[Fault] = Counter()
        self._faults = faults
        self._rate = rate
        self._rng = random.Random(seed)
        self._divider = divider
        self._ways = {True: _Way(), False: _Way()}
        self._plugged = True
        self._back_at = 0.0
        self._until_fault = {arriving: self._gap() for arriving in (True, False)}

    def clock(self) -> float:
        return self.inner.clock()

    def heal(self) -> None:
        """No faults from now on; stalls end."""
        self._rate = 0.0
        for way in self._ways.values():
            way.until = 0.0
        self._until_fault = dict.fromkeys(self._ways, self._gap())

    def replug(self) -> "FaultyLine":
        """This line, opened again; raises `LinkLost` while it is away."""
        if not self._plugged:
            if self.clock() < self._back_at:
                raise LinkLost("there is no port 'board'; plug the board in")
            self._plugged = True
            self._ways = {True: _Way(), False: _Way()}
        self.set_baud(self.first_baud)
        return self

    def set_baud(self, baud: int) -> bool:
        return self.inner.set_baud(baud // self._divider)

    def read(self, size: int, timeout: float) -> bytes:
        if self.clock() > self.limit:
            raise HungError
        end = self.clock() + timeout
        arriving = self._ways[True]
        while True:
            self._check()
            self._release()
            if arriving.waiting and arriving.until <= self.clock():
                out = bytes(arriving.waiting[:size])
                del arriving.waiting[:size]
                return out
            left = end - self.clock()
            wakes = [way.until - self.clock() for way in self._ways.values() if way.waiting]
            data = self.inner.read(4096, min([max(left, 0.0), *wakes]))
            arriving.waiting += self._struck(data, True)
            if left <= 0 and not (arriving.waiting and arriving.until <= self.clock()):
                return b""

    def write(self, data: bytes) -> None:
        self._check()
        self._ways[False].waiting += self._struck(data, False)
        self._release()

    def _release(self) -> None:
        leaving = self._ways[False]
        if leaving.waiting and leaving.until <= self.clock():
            self.inner.write(bytes(leaving.waiting))
            leaving.waiting.clear()

    def _check(self) -> None:
        if not self._plugged:
            raise LinkLost("port 'board' was lost; plug the board in again")

    def _gap(self) -> int:
        """Bytes that pass before the next fault."""
        return int(self._rng.expovariate(self._rate)) if self._rate else 1 << 62

    def _struck(self, data: bytes, arriving: bool) -> bytes:
        """What is left of the bytes of one call."""
        out = bytearray(data)
        at = self._until_fault[arriving]
        while at < len(out):
            at = self._strike(out, at, arriving) + self._gap()
        self._until_fault[arriving] = at - len(out)
        return bytes(out)

    def _may(self, fault: Fault, arriving: bool) -> bool:
        """Whether it may strike now."""
        if fault is Fault.STALL:
            return self.clock() >= self._ways[arriving].calm_until
        events = sum(self.done[event] for event in _EVENTS)
        return fault not in _EVENTS or (arriving and events < MAX_EVENTS)

    def _strike(self, out: bytearray, at: int, arriving: bool) -> int:
        """One fault at this byte; returns where the next gap begins."""
        rng = self._rng
        fault = rng.choice(self._faults)
        if not self._may(fault, arriving):
            return at + 1
        self.done[fault] += 1
        match fault:
            case Fault.FLIP:
                out[at] ^= 1 << rng.randrange(8)
            case Fault.LOSE:
                del out[at]
                return at
            case Fault.DOUBLE:
                out.insert(at, out[at])
                return at + 2
            case Fault.SWAP:
                byte = out.pop(at)
                out.insert(at + rng.randint(1, SWAP_BYTES), byte)
            case Fault.BURST:
                end = min(len(out), at + rng.randint(2, BURST_BYTES))
                out[at:end] = rng.randbytes(end - at)
                return end
            case Fault.STALL:
                self._ways[arriving].stall(self.clock(), rng.uniform(0.0, rng.choice(STALLS_S)))
            case Fault.UNPLUG:
                self._plugged = False
                self._back_at = self.clock() + AWAY_S
                del out[at:]
            case Fault.RESET:
                self.inner.reset()
                del out[at:]
        return at + 1
