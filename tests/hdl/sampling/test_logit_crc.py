# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: MIT
import random
import struct
import zlib

import pytest
from amaranth.sim import Simulator

from glintfpga.hdl.sampling.logit_crc import LogitCrc

LO, HI = -(1 << 19), (1 << 19) - 1


def simulate(dut, testbench):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def set_group(ctx, dut, group):
    for lane, logit in enumerate(group):
        ctx.set(dut.logits[lane], logit)


async def absorb(ctx, dut, groups, rng, *, clear=False, stall=0.0):
    """Send groups with random pauses full of rubbish; return two cycles after the last."""
    for index, group in enumerate(groups):
        while rng.random() < stall:
            set_group(ctx, dut, [rng.randint(LO, HI) for _ in group])
            await ctx.tick()
        set_group(ctx, dut, group)
        ctx.set(dut.valid, 1)
        ctx.set(dut.clear, clear and index == 0)
        await ctx.tick()
        ctx.set(dut.valid, 0)
        ctx.set(dut.clear, 0)
    await ctx.tick()


def checksum(groups):
    return zlib.crc32(b"".join(struct.pack("<i", logit) for group in groups for logit in group))


class TestParameters:
    def test_lanes(self):
        assert LogitCrc(lanes=8).lanes == 8
        with pytest.raises(ValueError, match="lanes must be at least 1, not 0"):
            LogitCrc(lanes=0)

    @pytest.mark.parametrize("logit_bits", [8, 16, 24, 32])
    def test_logit_bits(self, logit_bits):
        dut = LogitCrc(lanes=4, logit_bits=logit_bits)
        rng = random.Random(logit_bits)
        low, high = -(1 << (logit_bits - 1)), (1 << (logit_bits - 1)) - 1

        async def testbench(ctx):
            groups = [[low, high, 0, -1]]
            groups += [[rng.randint(low, high) for _ in range(4)] for _ in range(20)]
            await absorb(ctx, dut, groups, rng, clear=True)
            assert ctx.get(dut.crc) == checksum(groups)

        simulate(dut, testbench)


@pytest.mark.parametrize("lanes", [2, 4, 8])
class TestSimulation:
    def test_equals_zlib(self, lanes):
        dut = LogitCrc(lanes=lanes)
        rng = random.Random(lanes)

        async def testbench(ctx):
            assert ctx.get(dut.crc) == 0
            for count, stall in ((1, 0), (2, 0), (34, 0), (50, 0.4)):
                groups = [[rng.randint(LO, HI) for _ in range(lanes)] for _ in range(count)]
                await absorb(ctx, dut, groups, rng, clear=True, stall=stall)
                assert ctx.get(dut.crc) == checksum(groups)
                await ctx.tick().repeat(3)
                assert ctx.get(dut.crc) == checksum(groups)

        simulate(dut, testbench)

    def test_each_input_bit_and_the_edges(self, lanes):
        dut = LogitCrc(lanes=lanes)
        rng = random.Random(0)
        patterns = [0, -1, LO, HI, *(1 << bit for bit in range(19))]

        async def testbench(ctx):
            for lane in range(lanes):
                for pattern in patterns:
                    group = [pattern if i == lane else 0 for i in range(lanes)]
                    await absorb(ctx, dut, [group], rng, clear=True)
                    assert ctx.get(dut.crc) == checksum([group])

        simulate(dut, testbench)

    @pytest.mark.quick
    def test_clear(self, lanes):
        dut = LogitCrc(lanes=lanes)
        rng = random.Random(1)

        async def testbench(ctx):
            first, second = ([[n + lane for lane in range(lanes)]] * 3 for n in (5, -9))
            await absorb(ctx, dut, first, rng)
            assert ctx.get(dut.crc) == checksum(first)
            await absorb(ctx, dut, second, rng)
            assert ctx.get(dut.crc) == checksum(first + second)
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert ctx.get(dut.crc) == 0
            # The group just before a clear is still on its way; it must not survive.
            set_group(ctx, dut, first[0])
            ctx.set(dut.valid, 1)
            await ctx.tick()
            await absorb(ctx, dut, second, rng, clear=True)
            assert ctx.get(dut.crc) == checksum(second)

        simulate(dut, testbench)
