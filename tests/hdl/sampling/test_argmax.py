# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.layout import MAX_VOCAB
from glintfpga.hdl.sampling.argmax import ArgMax
from glintfpga.hdl.sampling.gumbel import NOISE_WIDTH
from glintfpga.quant.blink.plan import PLAN12
from support.component_bench import simulate

all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])
LOW, HIGH = PLAN12.logit.lo, PLAN12.logit.hi
NOISE_LOW, NOISE_HIGH = -(1 << (NOISE_WIDTH - 1)), (1 << (NOISE_WIDTH - 1)) - 1


def simulate_all(lanes, positions):
    """Ids of positions (logits, noise, pauses), each vocab long, on one component."""
    dut = ArgMax(lanes=lanes, logit_bits=PLAN12.logit.width, max_vocab=MAX_VOCAB)
    ids = []

    async def testbench(ctx):
        for logits, noise, pauses in positions:
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            for at in range(0, len(logits), lanes):
                present = len(logits[at : at + lanes])
                # Lanes beyond the vocabulary hold what would win if they counted.
                for lane in range(lanes):
                    inside = lane < present
                    ctx.set(dut.logits[lane], int(logits[at + lane]) if inside else HIGH)
                    ctx.set(dut.noise[lane], int(noise[at + lane]) if inside else NOISE_HIGH)
                ctx.set(dut.valid, (1 << present) - 1)
                ctx.set(dut.add, 1)
                await ctx.tick()
                ctx.set(dut.add, 0)
                if pauses and at % 3 == 0:
                    await ctx.tick().repeat(2)
            await ctx.tick().repeat(2)
            ids.append(ctx.get(dut.id))

    simulate(dut, testbench)
    return ids


def check(lanes, positions):
    want = [int((logits + noise).argmax()) for logits, noise, _ in positions]
    assert simulate_all(lanes, positions) == want


@all_lanes
class TestArgMax:
    def test_random(self, lanes):
        rng = np.random.default_rng(lanes)
        check(
            lanes,
            [
                (rng.integers(LOW, HIGH + 1, vocab), rng.integers(-4000, 4000, vocab), vocab % 2)
                for vocab in (2, 3, 16, 17, 33, 64, 257, 512)
            ],
        )

    def test_ties_go_to_the_lowest_id(self, lanes):
        rng = np.random.default_rng(lanes)
        check(lanes, [(rng.integers(-1, 1, 40), rng.integers(-1, 1, 40), False) for _ in range(30)])

    def test_equal_everywhere(self, lanes):
        check(lanes, [(np.full(40, value), np.zeros(40, int), False) for value in (LOW, 0, HIGH)])

    @pytest.mark.quick
    def test_sums_do_not_wrap(self, lanes):
        logits = np.array([HIGH, HIGH - 1, LOW, LOW])
        noise = np.array([NOISE_HIGH - 1, NOISE_HIGH, NOISE_LOW, NOISE_HIGH])
        check(lanes, [(logits, noise, False), (logits[2:], noise[2:], False)])

    def test_each_id_can_win(self, lanes):
        positions = [
            (np.where(np.arange(40) == i, LOW + 1, LOW), np.zeros(40, int), False)
            for i in range(40)
        ]
        check(lanes, positions)

    def test_a_new_position_forgets_the_last(self, lanes):
        none = np.zeros(20, int)
        check(lanes, [(none + HIGH, none, False), (none + LOW, none, False)])
