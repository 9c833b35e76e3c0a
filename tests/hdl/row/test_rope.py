# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import ROTATE
from glintfpga.hdl.row.rope import Rope
from glintfpga.quant.blink.blocks import rope
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.tables import rope_table
from support.component_bench import record


@pytest.mark.quick
@pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
def test_one_vector_a_cycle(plan):
    rng = np.random.default_rng(1)
    ends = [plan.qk.lo, plan.qk.hi, 0, -1]
    pairs = [(a, b) for a in ends for b in ends]
    pairs += rng.integers(plan.qk.lo, plan.qk.hi + 1, (10, 2)).tolist()
    items = [(a, b, entry) for entry in rope_table(plan.rope, 44).tolist() for a, b in pairs]
    inputs = {
        "a": [a for a, _, _ in items],
        "b": [b for _, b, _ in items],
        # Cosine and sine stand at the multipliers together with their vector.
        "cos": [entry[0] for _, _, entry in items],
        "sin": [entry[1] for _, _, entry in items],
    }
    got = record(Rope(plan=plan), inputs, ["o_a", "o_b"], len(items) + ROTATE)
    want = [rope(plan, np.array([a, b, 0]), np.array(entry)).tolist()[:2] for a, b, entry in items]
    assert list(map(list, zip(got["o_a"][ROTATE:], got["o_b"][ROTATE:], strict=True))) == want
