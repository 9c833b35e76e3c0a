# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.layout import MAX_VOCAB
from glintfpga.hdl.sampling.sampler import Sampler
from glintfpga.quant.blink.plan import PLAN12
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler as Reference
from support.component_bench import put, simulate

all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])
DRAW_AHEAD = 3
ID_AFTER, CRC_AFTER = 4, 3


def build(lanes):
    return Sampler(lanes=lanes, logit_bits=PLAN12.logit.width, max_vocab=MAX_VOCAB, multipliers=4)


async def position(ctx, dut, logits, temperature, draw):
    """Play one position, a group a cycle in multiples of 16 ids; returns (id, crc)."""
    lanes, vocab = dut.lanes, len(logits)
    ctx.set(dut.temperature, temperature)
    ctx.set(dut.clear, 1)
    await ctx.tick()
    ctx.set(dut.clear, 0)
    groups = -(-vocab // 16) * 16 // lanes
    for cycle in range(groups + DRAW_AHEAD):
        ctx.set(dut.draw, draw and cycle < groups)
        at = (cycle - DRAW_AHEAD) * lanes
        ctx.set(dut.add, cycle >= DRAW_AHEAD)
        for lane in range(lanes):
            inside = 0 <= at + lane < vocab
            ctx.set(dut.values[lane], int(logits[at + lane]) if inside else PLAN12.logit.hi)
        ctx.set(dut.valid, sum(1 << lane for lane in range(lanes) if 0 <= at + lane < vocab))
        if cycle < groups + DRAW_AHEAD - 1:
            await ctx.tick()
    results = []
    for ahead in (CRC_AFTER, ID_AFTER - CRC_AFTER):
        for _ in range(ahead):
            await ctx.tick()
            ctx.set(dut.add, 0)
        results.append((ctx.get(dut.id), ctx.get(dut.crc)))
    return results[1][0], results[0][1]


async def read(ctx, dut, vocab):
    logits = []
    for index in range(vocab):
        ctx.set(dut.read_id, index)
        await ctx.tick()
        logits.append(ctx.get(dut.read_value))
    return logits


@all_lanes
class TestSampler:
    @pytest.mark.parametrize("vocab", [2, 16, 33, 130])
    def test_best_of_plain_logits(self, lanes, vocab):
        rng = np.random.default_rng(vocab)
        dut = build(lanes)

        async def testbench(ctx):
            for _ in range(3):
                logits = rng.integers(PLAN12.logit.lo, PLAN12.logit.hi + 1, vocab)
                best, crc = await position(ctx, dut, logits, 0, draw=True)
                assert (best, crc) == (int(logits.argmax()), logit_crc(logits))
                assert await read(ctx, dut, vocab) == logits.tolist()

        simulate(dut, testbench)

    def test_a_larger_vocabulary_and_wider_logits(self, lanes):
        """The sizes of another family: every id is reached, and every bit is kept."""
        rng = np.random.default_rng(lanes)
        dut = Sampler(lanes=lanes, logit_bits=24, max_vocab=1024, multipliers=0)

        async def testbench(ctx):
            for best in (1023, 1000, 512, 0):
                logits = rng.integers(-(1 << 23), (1 << 23) - 1, 1024)
                logits[best] = (1 << 23) - 1
                got, crc = await position(ctx, dut, logits, 0, draw=False)
                assert (got, crc) == (best, logit_crc(logits))
            assert await read(ctx, dut, 1024) == logits.tolist()

        simulate(dut, testbench)

    @pytest.mark.quick
    def test_draws_like_the_reference(self, lanes):
        rng = np.random.default_rng(lanes)
        dut = build(lanes)

        async def testbench(ctx):
            reference = Reference(0)  # at power-up
            await ctx.tick().repeat(60)
            for turn in range(24):
                if turn % 8 == 4:
                    seed = int(rng.integers(0, 1 << 63))
                    reference.reseed(seed)
                    await put(ctx, dut.i_seed, seed)
                vocab = int(rng.choice([2, 17, 40]))
                logits = rng.integers(-600, 600, vocab)
                # Scoring in between takes nothing from the stream, nor does temperature 0.
                temperature = int(rng.choice([0, 1, 205, 256, 1023]))
                draw = bool(rng.random() < 0.8)
                got, crc = await position(ctx, dut, logits, temperature if draw else 0, draw)
                want = reference.sample(logits, temperature if draw else 0)
                assert (got, crc) == (want, logit_crc(logits))

        simulate(dut, testbench)
