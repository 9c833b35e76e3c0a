# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import SQUARE
from glintfpga.hdl.row.norm import RmsNorm
from glintfpga.quant.blink.blocks import rmsnorm
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from support.component_bench import record

HOLD = SQUARE + 2


def simulate(plan, x, loop, add):
    """h of each vector: inputs hold for `HOLD` cycles, then turn to something else at once."""
    dut = RmsNorm(plan=plan)
    count = len(x)
    inputs = {"x": [], "loop_embedding": [], "add_loop": []}
    for values in zip(x.tolist(), loop.tolist(), add.tolist(), strict=True):
        for name, value in zip(inputs, values, strict=True):
            inputs[name] += [value] * HOLD
    got = record(dut, inputs, ["h"], HOLD * count + dut.latency)
    return got["h"][dut.latency :: HOLD]


EDGES = [-32768, -32767, -1, 0, 1, 7, 8, 32767]


@pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
class TestRmsNorm:
    @pytest.mark.quick
    def test_edges(self, plan):
        x = np.array([[a, b, c] for a in EDGES for b in EDGES for c in (-32768, 0, 3)])
        add = np.arange(len(x)) % 2
        want = rmsnorm(plan, x + np.where(add[:, None], x, 0))
        assert simulate(plan, x, x, add) == want.tolist()

    def test_every_magnitude(self, plan):
        rng = np.random.default_rng(1)
        x = rng.integers(-32768, 32768, (250, 3)) >> rng.integers(0, 16, (250, 1))
        loop = rng.integers(-32768, 32768, (250, 3)) >> rng.integers(0, 16, (250, 3))
        add = rng.integers(0, 2, 250)
        want = rmsnorm(plan, x + loop * add[:, None])
        assert simulate(plan, x, loop, add) == want.tolist()
