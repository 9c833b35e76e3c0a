# SPDX-License-Identifier: MIT
import random
import zlib

import pytest
from amaranth.sim import Simulator

from glintfpga.hdl.primitives.byte_crc import CrcBytes


@pytest.mark.quick
def test_equals_zlib():
    dut = CrcBytes()
    rng = random.Random(1)

    async def bench(ctx):
        for size in (0, 1, 4, 9, 100):
            data = rng.randbytes(size)
            ctx.set(dut.start, 1)
            ctx.set(dut.valid, rng.randrange(2))
            await ctx.tick()
            ctx.set(dut.start, 0)
            crc = zlib.crc32(data)
            for index, byte in enumerate(data + crc.to_bytes(4, "little")):
                if index == size:
                    assert ctx.get(dut.crc) == crc
                assert not ctx.get(dut.match)
                ctx.set(dut.data, byte)
                ctx.set(dut.valid, 0)
                await ctx.tick().repeat(rng.randrange(1, 3))
                ctx.set(dut.valid, 1)
                await ctx.tick()
            ctx.set(dut.valid, 0)
            assert ctx.get(dut.match)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
