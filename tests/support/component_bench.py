# SPDX-License-Identifier: MIT
"""Test benches for single components on Amaranth's simulator."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from amaranth.hdl import Elaboratable
from amaranth.lib import data
from amaranth.sim import Simulator

__all__ = ["Stalls", "get", "plain", "put", "record", "simulate"]

_PERIOD = 1e-6
Testbench = Callable[[Any], Awaitable[None]]


class Stalls:
    """Random pauses, the same in every run: each call gives a number of cycles, often 0."""

    def __init__(self, seed: int, *, chance: float = 0.3, longest: int = 5) -> None:
        self._random = random.Random(seed)
        self._chance = chance
        self._longest = longest

    def __call__(self) -> int:
        return self._random.randint(1, self._longest) if self._random.random() < self._chance else 0


def simulate(component: Elaboratable, *testbenches: Testbench, limit: int = 100_000) -> None:
    """Run a component in the domain ``sync`` until all test benches have returned.

    Raises ``TimeoutError`` when they have not after ``limit`` cycles.
    """

    async def watchdog(ctx: Any) -> None:
        await ctx.delay(limit * _PERIOD)
        raise TimeoutError(f"the test bench has not ended after {limit} cycles")

    simulator = Simulator(component)
    simulator.add_clock(_PERIOD, if_exists=True)  # a combinational component has no clock
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.add_testbench(watchdog, background=True)
    simulator.run()


async def put(ctx: Any, stream: Any, payload: Any, *, stall: int = 0) -> None:
    """Send one payload over an input stream, after ``stall`` idle cycles."""
    if stall:
        await ctx.tick().repeat(stall)
    ctx.set(stream.payload, payload)
    ctx.set(stream.valid, 1)
    await ctx.tick().until(stream.ready)
    ctx.set(stream.valid, 0)


async def get(ctx: Any, stream: Any, *, stall: int = 0) -> Any:
    """Take one payload from an output stream, after ``stall`` cycles of not being ready."""
    if stall:
        await ctx.tick().repeat(stall)
    ctx.set(stream.ready, 1)
    (payload,) = await ctx.tick().sample(stream.payload).until(stream.valid)
    ctx.set(stream.ready, 0)
    return plain(payload)


def plain(value: Any) -> Any:
    """A sampled value without Amaranth types: arrays as lists, structures as dictionaries."""
    if isinstance(value, data.Const):
        layout = value.shape()
        if isinstance(layout, data.ArrayLayout):
            return [plain(value[index]) for index in range(layout.length)]
        return {name: plain(value[name]) for name, _ in layout}
    return int(value)


def record(
    component: Any, inputs: Mapping[str, Sequence[Any]], outputs: Sequence[str], cycles: int
) -> dict[str, list[Any]]:
    """Play values into ports, one per cycle, and record ports: the value of every cycle.

    A port holds the last value of its sequence from then on. Outputs that follow inputs without
    a register are seen in the same cycle.
    """
    seen: dict[str, list[Any]] = {name: [] for name in outputs}

    async def testbench(ctx: Any) -> None:
        for cycle in range(cycles):
            for name, values in inputs.items():
                if cycle < len(values):
                    ctx.set(getattr(component, name), values[cycle])
            for name in outputs:
                seen[name].append(plain(ctx.get(getattr(component, name))))
            await ctx.tick()

    simulate(component, testbench, limit=cycles + 2)
    return seen
