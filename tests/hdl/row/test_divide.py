# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import DIVIDE
from glintfpga.hdl.row.divide import Divide
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.numbers.qformat import QFormat, shift_round
from support.component_bench import record

both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
HOLD = 2
LATENCY = 1 + DIVIDE


def build(plan):
    return Divide(plan=plan, value_width=plan.weight_width + 17)


def simulate(plan, values, denominators):
    """Quotients: inputs hold for two cycles, then turn to the next at once."""
    inputs = {
        "values": np.repeat(values, HOLD, axis=0).tolist(),
        "denominator": np.repeat(denominators, HOLD).tolist(),
        "hidden": [0],
    }
    got = record(build(plan), inputs, ["quotient"], HOLD * len(values) + LATENCY)
    return np.array(got["quotient"][LATENCY::HOLD][: len(values)])


def reference(plan, values, denominators):
    state = blocks.Softmax(np.zeros(len(denominators), np.int64), values, denominators)
    return blocks.attention_output(plan, state)


@both_plans
class TestQuotient:
    def check(self, plan, values, denominators):
        got = simulate(plan, values, denominators)
        assert shift_round(got, 1).tolist() == reference(plan, values, denominators).tolist()

    def test_every_denominator(self, plan):
        rng = np.random.default_rng(1)
        least, most = 1 << (plan.weight_p_frac - 1), 256 << plan.weight_p_frac
        denominators = np.concatenate(
            [
                np.arange(least, least + 200),
                rng.integers(least, most + 1, 200) >> rng.integers(0, 9, 200),
                [most, most - 1, most // 2, most // 2 - 1],
            ]
        ).clip(least)
        values = (
            rng.integers(plan.v.lo, plan.v.hi + 1, (len(denominators), 3)) * denominators[:, None]
        )
        self.check(plan, values + rng.integers(-3, 4, values.shape), denominators)

    @pytest.mark.quick
    def test_edges(self, plan):
        one = 1 << plan.weight_p_frac
        denominators = np.array([one // 2, one, one + 1, 2 * one - 1, 256 * one])
        rows = np.repeat([plan.v.lo, plan.v.hi, 0, -1], 5)[:, None]
        denominators = np.tile(denominators, 4)
        self.check(plan, rows * denominators[:, None] * [1, 1, 1], denominators)

    def test_saturates_where_roundings_lead_beyond_v(self, plan):
        one = 1 << plan.weight_p_frac
        denominators = np.array([one - 1, 2 * one - 1, 256 * one - 1])
        values = np.array([[plan.v.lo - 1] * 3] * 3) * (denominators[:, None] + 1)
        self.check(plan, np.concatenate([values, -values]), np.tile(denominators, 2))


@both_plans
def test_shifted(plan):
    rng = np.random.default_rng(2)
    shifts = np.arange(320) % 16
    z = QFormat(plan.weight_width, 0)
    largest = 16 * z.lo * z.lo
    values = rng.integers(-largest, largest + 1, (320, 3)) >> rng.integers(0, 24, (320, 1))
    values[:32] = [[largest, -largest, 0]]
    # The shift is taken in the cycle before the values.
    inputs = {"values": [[0] * 3, *values.tolist()], "shift_down": shifts.tolist(), "hidden": [1]}
    got = {"shifted": record(build(plan), inputs, ["shifted"], 321)["shifted"][1:]}
    for row, shift, guarded in zip(values, shifts.tolist(), got["shifted"], strict=True):
        total = plan.min_sum_shift + shift
        if total < 0:
            continue  # never stored: a down projection has no fraction to gain there
        exact = shift_round(row, total)
        rounded = shift_round(np.array(guarded), 1)
        inside = abs(exact) < 1 << 17
        assert (rounded[inside] == exact[inside]).all()
        # 19 bits saturate; x, of 16 bits, cannot tell that from the exact sum.
        assert (abs(rounded[~inside]) >= (1 << 17) - 1).all()
        assert (np.sign(rounded) == np.sign(exact)).all()
