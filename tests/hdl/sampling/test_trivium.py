# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.sim import Simulator

from glintfpga.hdl.sampling.trivium import Trivium
from glintfpga.quant.numbers.trivium import Trivium as Reference
from glintfpga.quant.numbers.trivium import seed_key

REKEY_CYCLES = {2: 38, 4: 20, 8: 11}


def simulate(dut, testbench):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def group(ctx, dut):
    return [ctx.get(dut.r[lane]) for lane in range(dut.lanes)]


async def take(ctx, dut, stream, groups, rng):
    """Compare groups with ``stream``, which is at the current one, under random pauses."""
    for _ in range(groups):
        expected = stream.words16(dut.lanes)
        assert group(ctx, dut) == expected
        while rng.random() < 0.3:
            await ctx.tick()
            assert group(ctx, dut) == expected
        ctx.set(dut.next, 1)
        await ctx.tick()
        ctx.set(dut.next, 0)


async def rekey(ctx, dut, seed):
    ctx.set(dut.i_seed.payload, seed)
    ctx.set(dut.i_seed.valid, 1)
    cycles = 0
    while not ctx.get(dut.i_seed.ready):
        await ctx.tick()
        assert ctx.get(dut.idle) == ctx.get(dut.i_seed.ready)
        cycles += 1
    assert cycles == REKEY_CYCLES[dut.lanes]


class TestParameters:
    def test_lanes(self):
        assert Trivium(lanes=4).lanes == 4
        for lanes in (0, 1, 3, 16):
            with pytest.raises(ValueError, match=f"lanes must be 2, 4 or 8, not {lanes}"):
                Trivium(lanes=lanes)


@pytest.mark.parametrize("lanes", [2, 4, 8])
class TestSimulation:
    @pytest.mark.quick
    def test_keys_itself_with_seed_0(self, lanes):
        dut = Trivium(lanes=lanes)

        async def testbench(ctx):
            cycles = 0
            while not ctx.get(dut.idle):
                assert not ctx.get(dut.i_seed.ready)
                await ctx.tick()
                cycles += 1
            assert cycles == REKEY_CYCLES[lanes] - 1
            assert not ctx.get(dut.i_seed.ready)
            await take(ctx, dut, Reference(seed_key(0)), 40, random.Random(1))

        simulate(dut, testbench)

    @pytest.mark.parametrize("seed", [1, 0x0123456789ABCDEF, 1 << 63, (1 << 64) - 1])
    def test_rekeys(self, lanes, seed):
        dut = Trivium(lanes=lanes)

        async def testbench(ctx):
            rng = random.Random(seed)
            await ctx.tick().until(dut.idle)
            await take(ctx, dut, Reference(seed_key(0)), 5, rng)
            await rekey(ctx, dut, seed)
            first = group(ctx, dut)
            await ctx.tick()
            ctx.set(dut.i_seed.valid, 0)
            stream = Reference(seed_key(seed))
            assert first == Reference(seed_key(seed)).words16(lanes)
            await take(ctx, dut, stream, 60, rng)

        simulate(dut, testbench)

    def test_back_to_back_and_next_held(self, lanes):
        dut = Trivium(lanes=lanes)

        async def testbench(ctx):
            await ctx.tick().until(dut.idle)
            ctx.set(dut.next, 1)
            await ctx.tick()
            for seed in (7, 8):
                await rekey(ctx, dut, seed)
                assert group(ctx, dut) == Reference(seed_key(seed)).words16(lanes)
                await ctx.tick()
            ctx.set(dut.i_seed.valid, 0)
            stream = Reference(seed_key(8))
            stream.words16(lanes)
            for _ in range(20):
                assert group(ctx, dut) == stream.words16(lanes)
                await ctx.tick()

        simulate(dut, testbench)

    def test_seed_during_the_power_up_keying(self, lanes):
        dut = Trivium(lanes=lanes)

        async def testbench(ctx):
            ctx.set(dut.i_seed.payload, 99)
            ctx.set(dut.i_seed.valid, 1)
            await ctx.tick().until(dut.i_seed.ready)
            ctx.set(dut.i_seed.valid, 0)
            await take(ctx, dut, Reference(seed_key(99)), 10, random.Random(2))

        simulate(dut, testbench)
