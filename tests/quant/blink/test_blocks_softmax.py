# SPDX-License-Identifier: MIT
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12

both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")


seeds = given(st.integers(0, 2**32 - 1))


def random_groups(plan, seed, lanes=4, most=12):
    """Groups of (products, valid, values): products of every size, at least one lane valid."""
    rng = np.random.default_rng(seed)
    count = rng.integers(1, most + 1)
    largest = 3 * plan.qk.lo**2
    products = rng.integers(-largest, largest + 1, (count, lanes)) >> rng.integers(0, 26)
    products >>= rng.integers(0, 3, products.shape) * rng.integers(0, 8)
    ends = rng.choice([0, -1, largest, -largest], products.shape)
    products = np.where(rng.random(products.shape) < 0.05, ends, products)
    valid = rng.random(products.shape) < rng.choice([0.3, 1.0])
    valid[np.arange(count), rng.integers(0, lanes, count)] = True
    values = rng.integers(plan.v.lo, plan.v.hi + 1, (count, lanes, 3))
    values = np.where(rng.random(values.shape) < 0.1, plan.v.lo, values)
    return list(zip(products, valid, values, strict=True))


def stream(plan, groups):
    """The state after all groups, and (running_max, p, values) of each."""
    state, parts = blocks.Softmax.start(()), []
    for products, valid, values in groups:
        running_max, p = blocks.group_weights(plan, products, valid, state.running_max)
        parts.append((int(running_max), p.tolist(), values.tolist()))
        state = blocks.accumulate(state, running_max, p, values)
    return state, parts


@both_plans
class TestGroupWeights:
    @seeds
    def test_against_exact_powers(self, plan, seed):
        products, valid, _ = random_groups(plan, seed)[0]
        scores = products / 4.0**plan.qk.frac
        highest = int(np.floor(scores[valid].max())) + 1
        previous_max = highest + np.random.default_rng(seed).integers(-5, 6)
        running_max, p = blocks.group_weights(plan, products, valid, previous_max)
        one = 1 << plan.weight_p_frac
        assert running_max == max(previous_max, highest)
        assert (p[~valid] == 0).all()
        assert p.max() <= one
        if highest >= previous_max:
            assert p.max() >= one // 2
        # The score is rounded to eighths: 2**(1/16) is 4.4 %; table and shift round once each.
        exact = one * 2.0 ** (scores[valid] - running_max)
        assert (abs(p[valid] - exact) <= exact * (2 ** (1 / 16) - 1) + 1).all()

    def test_rounding_can_reach_one(self, plan):
        frac = 2 * plan.qk.frac
        products = np.array([(1 << frac) - 1])
        running_max, p = blocks.group_weights(plan, products, np.array([True]), np.int64(0))
        assert (int(running_max), p.tolist()) == (1, [1 << plan.weight_p_frac])

    @pytest.mark.quick
    def test_far_below(self, plan):
        frac = 2 * plan.qk.frac
        products = np.array([0, -8, -40, -3000]) << frac
        _, p = blocks.group_weights(plan, products, np.ones(4, bool), blocks.RUNNING_MAX_START)
        assert p.tolist() == [1 << (plan.weight_p_frac - 1), PLAN12 is plan and 1 or 0, 0, 0]

    def test_batch(self, plan):
        products = np.random.default_rng(1).integers(-1 << 16, 1 << 16, (5, 4))
        valid = np.array([True, True, False, True])
        previous_max = np.arange(-3, 7, 2)
        running_max, p = blocks.group_weights(plan, products, valid, previous_max)
        for row in range(5):
            one_max, one_p = blocks.group_weights(plan, products[row], valid, previous_max[row])
            assert (running_max[row], p[row].tolist()) == (one_max, one_p.tolist())


@both_plans
class TestAccumulate:
    @seeds
    def test_invariants_after_every_group(self, plan, seed):
        groups = random_groups(plan, seed)
        for count in range(1, len(groups) + 1):
            state, parts = stream(plan, groups[:count])
            assert state.running_max == max(running_max for running_max, _, _ in parts)
            assert state.denominator >= 1 << (plan.weight_p_frac - 1)
            self.check_exact(state, parts)

    def check_exact(self, state, parts):
        """Half a unit off for each shift of the old sum, and by what lay too far below."""
        denominator, values = Fraction(0), [Fraction(0)] * 3
        for running_max, p, rows in parts:
            scale = Fraction(1, 2 ** (int(state.running_max) - running_max))
            denominator += sum(p) * scale
            for i in range(3):
                values[i] += sum(w * row[i] for w, row in zip(p, rows, strict=True)) * scale
        far = Fraction(sum(sum(p) for _, p, _ in parts), 2 << blocks.MAX_RESCALE)
        assert abs(denominator - int(state.denominator)) <= 1 + far
        largest = max(abs(n) for _, _, rows in parts for row in rows for n in row)
        for i in range(3):
            assert abs(values[i] - int(state.values[i])) <= 1 + far * largest

    @seeds
    def test_order_matters_only_by_rounding(self, plan, seed):
        groups = random_groups(plan, seed)
        a, _ = stream(plan, groups)
        b, _ = stream(plan, groups[::-1])
        assert a.running_max == b.running_max
        # Rounding of p: half a unit a row, and one of the old sum. Rounded scores cancel out.
        bound = groups[0][0].size * len(groups) + 2
        assert abs(a.denominator - b.denominator) <= bound
        assert abs(a.values - b.values).max() <= bound * -plan.v.lo

    def test_a_single_group_is_exact(self, plan):
        group = (np.array([5, 9]), np.array([True, True]), np.array([[1, -2, 3], [4, 5, -6]]))
        state, ((running_max, p, rows),) = stream(plan, [group])
        assert int(state.running_max) == running_max
        assert int(state.denominator) == sum(p)
        want = [sum(w * row[i] for w, row in zip(p, rows, strict=True)) for i in range(3)]
        assert state.values.tolist() == want


@both_plans
class TestAttentionOutput:
    @seeds
    def test_divides(self, plan, seed):
        state, _ = stream(plan, random_groups(plan, seed))
        got = blocks.attention_output(plan, state)
        ratio = state.values / float(state.denominator)
        exact = ratio.clip(plan.v.lo, plan.v.hi + 1) * 2.0 ** (plan.x.frac - plan.v.frac)
        # The table has 10 bits of the denominator; the sum is rounded to 18 bits, then the
        # quotient. Beyond the range of v, where only roundings lead, the sum may saturate on its
        # way.
        slack = abs(ratio - ratio.clip(plan.v.lo, plan.v.hi)) * 2.0 ** (plan.x.frac - plan.v.frac)
        assert (abs(got - exact) <= 0.75 + abs(exact) / 2000 + slack).all()

    @seeds
    def test_bounded_by_v(self, plan, seed):
        groups = random_groups(plan, seed)
        state, _ = stream(plan, groups)
        got = blocks.attention_output(plan, state)
        rows = np.concatenate([rows[valid] for _, valid, rows in groups])
        step = 1 << (plan.x.frac - plan.v.frac)
        # Both sums have the same weights; only shifts of the old denominator round by themselves.
        part = 1 / (1 << (plan.weight_p_frac - 1)) + 1 / 2000
        beyond = abs(rows).max() * step * part + step + 1
        assert (got <= rows.max(axis=0) * step + beyond).all()
        assert (got >= rows.min(axis=0) * step - beyond).all()

    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_equal_rows_come_out(self, plan, count):
        for value in (plan.v.lo, plan.v.hi, 1, 0):
            rows = np.tile([value, 0, -1], (4, 1))
            state, _ = stream(plan, [(np.zeros(4, np.int64), np.arange(4) < count, rows)])
            got = blocks.attention_output(plan, state)
            step = 1 << (plan.x.frac - plan.v.frac)
            assert abs(got[0] - value * step) <= abs(value * step) / 2000 + 1
            assert got[1] == 0

    def test_longest_sum(self, plan):
        state = blocks.Softmax.start(())
        one = 1 << plan.weight_p_frac
        rows = np.full((8, 3), plan.v.lo)
        for _ in range(32):
            state = blocks.accumulate(state, np.int64(1), np.full(8, one), rows)
        assert state.denominator == 256 * one
        step = 1 << (plan.x.frac - plan.v.frac)
        want = plan.v.lo * step
        assert (abs(blocks.attention_output(plan, state) - want) <= abs(want) / 2000 + 1).all()


@both_plans
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_one_pass_is_near_softmax(plan, lanes):
    """Scores of a trained model's size: one pass over groups against softmax in floats."""
    rng = np.random.default_rng(lanes)
    for _ in range(50):
        scores = rng.normal(0, 3, 24)
        values = rng.integers(plan.v.lo, plan.v.hi + 1, (24, 3))
        products = np.round(scores * 4.0**plan.qk.frac).astype(np.int64)
        state = blocks.Softmax.start(())
        for at in range(0, 24, lanes):
            rows = slice(at, at + lanes)
            running_max, p = blocks.group_weights(
                plan, products[rows], np.ones(lanes, bool), state.running_max
            )
            state = blocks.accumulate(state, running_max, p, values[rows])
        weights = np.exp2(scores - scores.max())
        exact = weights @ values / weights.sum()
        got = blocks.attention_output(plan, state) / 2.0 ** (plan.x.frac - plan.v.frac)
        assert abs(got - exact).max() <= math.ldexp(1, plan.v.width) * 0.06
