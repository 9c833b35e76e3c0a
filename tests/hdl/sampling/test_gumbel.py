# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: MIT
import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from glintfpga.hdl.sampling.gumbel import GumbelNoise
from glintfpga.quant.numbers.gumbel import noise


def simulate(lanes, temperature, groups):
    """The noise of each group, GumbelNoise.LATENCY cycles after its words."""
    dut = GumbelNoise(lanes=lanes, multipliers=lanes)
    got = []

    async def testbench(ctx):
        ctx.set(dut.temperature, temperature)
        for words in groups + [[0] * lanes] * dut.LATENCY:
            for lane, word in enumerate(words):
                ctx.set(dut.r[lane], word)
            got.append([ctx.get(dut.noise[lane]) for lane in range(lanes)])
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
    return got[dut.LATENCY :]


class TestParameters:
    @pytest.mark.quick
    def test_lanes(self):
        assert GumbelNoise(lanes=4, multipliers=4).lanes == 4
        for lanes in (0, 1, 3):
            with pytest.raises(ValueError, match=f"lanes must be an even number, not {lanes}"):
                GumbelNoise(lanes=lanes, multipliers=0)


class TestSimulation:
    def test_every_entry_by_its_first_and_last_word(self):
        edges = sorted(
            {
                (m << 2 * s) + offset
                for s in range(5)
                for m in range(64 if s else 0, 256)
                for offset in (0, (1 << 2 * s) - 1)
            }
        )
        edges += [0] * (-len(edges) % 2)
        groups = [edges[i : i + 2] for i in range(0, len(edges), 2)]
        assert simulate(2, 205, groups) == noise(205, np.array(groups)).tolist()

    @pytest.mark.parametrize("temperature", [0, 1, 128, 256, 1023])
    @pytest.mark.parametrize("lanes", [2, 4, 8])
    def test_random_words(self, lanes, temperature):
        rng = random.Random(lanes)
        groups = [
            [rng.getrandbits(16) >> rng.randrange(16) for _ in range(lanes)] for _ in range(64)
        ]
        assert simulate(lanes, temperature, groups) == noise(temperature, np.array(groups)).tolist()
