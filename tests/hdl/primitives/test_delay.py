# SPDX-License-Identifier: MIT
import pytest
from amaranth.hdl import Module, Signal, signed

from glintfpga.hdl.primitives.delay import delay
from support.component_bench import simulate


@pytest.mark.quick
@pytest.mark.parametrize("cycles", [0, 1, 2, 7])
def test_delay(cycles):
    m, value, late = Module(), Signal(signed(5)), Signal(signed(5))
    m.d.comb += late.eq(delay(m, value, cycles, "value"))
    m.d.sync += Signal().eq(1)
    sent, got = list(range(-16, 16)), []

    async def testbench(ctx):
        for number in sent:
            ctx.set(value, number)
            got.append(ctx.get(late))
            await ctx.tick()

    simulate(m, testbench)
    assert got == ([0] * cycles + sent)[: len(sent)]
