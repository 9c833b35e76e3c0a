# SPDX-License-Identifier: MIT
import gc
import warnings

import pytest
from amaranth.sim import Simulator

from glintfpga.boards.lights import StatusLeds

TICK = 2  # cycles


def patterns(*, busy=(), error=(), failed=(), ticks):
    dut = StatusLeds(clk_hz=4096 * TICK, count=6)
    seen = []

    async def bench(ctx):
        for tick in range(ticks):
            ctx.set(dut.busy, tick in busy)
            ctx.set(dut.error, tick in error)
            ctx.set(dut.failed, tick in failed)
            for _ in range(TICK):
                await ctx.tick()
                seen.append(ctx.get(dut.led))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return seen


def test_idle_breathes_with_one_led():
    seen = patterns(ticks=16384)
    assert set(seen) == {0, 1}
    block = TICK * 2048
    shares = [sum(seen[at : at + block]) / block for at in range(0, len(seen), block)]
    assert shares[0] < shares[2] < shares[3] and shares[4] > shares[5] > shares[7]


def test_busy_runs_and_ends():
    seen = patterns(busy=range(10, 2000), ticks=2600)
    during = set(seen[11 * TICK : 1999 * TICK])
    assert during == {1, 2, 4, 8, 16, 32}
    assert set(seen[2300 * TICK :]) <= {0, 1}


def test_one_pulse_shows():
    seen = patterns(busy=[300], ticks=700)
    assert set(seen[302 * TICK : 500 * TICK]) == {2}


def test_error_blinks():
    seen = patterns(busy=range(4096), error=range(4096), ticks=4000)
    assert set(seen) == {0, 63}
    assert sum(a != b for a, b in zip(seen, seen[1:], strict=False)) == 3


@pytest.mark.quick
def test_a_failed_self_test_blinks_in_turn():
    always = range(4096)
    seen = patterns(busy=always, error=always, failed=always, ticks=4000)
    assert set(seen) == {0b010101, 0b101010}
    assert sum(a != b for a, b in zip(seen, seen[1:], strict=False)) == 3


def test_slow_clock_is_refused():
    # Amaranth warns of components that nobody elaborates, when they are collected.
    with warnings.catch_warnings(action="ignore"):
        with pytest.raises(ValueError, match=r"^clk_hz must be at least 8192, not 4000$"):
            StatusLeds(clk_hz=4000, count=6)
        gc.collect()
