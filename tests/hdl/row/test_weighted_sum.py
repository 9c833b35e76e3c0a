# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import WEIGH
from glintfpga.hdl.row.weighted_sum import RunningMax, WeightedSum
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.numbers.qformat import QFormat
from support.component_bench import record

all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])
both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
MAX_WIDTH = 15
ADDED = WEIGH + 1
"""Cycles from the weights to the addition, which shows in the next."""


def random_score_floors(rng, groups, lanes):
    """Scores that jump by anything from nothing to everything; some lanes take no part."""
    score_floors = rng.integers(-3000, 3000, (groups, lanes)) >> rng.integers(0, 12, (groups, 1))
    absent = rng.random((groups, lanes)) < 0.2
    absent[:, 0] = False
    return np.where(absent, blocks.RUNNING_MAX_START, score_floors)


@all_lanes
class TestRunningTop:
    def test_follows_accumulate(self, lanes):
        rng = np.random.default_rng(lanes)
        score_floors = random_score_floors(rng, 300, lanes)
        add, clear = rng.random(300) < 0.8, rng.random(300) < 0.05
        clear[:2] = [True, False]
        maximum, want_maximum, want_shift = blocks.RUNNING_MAX_START, [], []
        for group, adds, clears in zip(score_floors, add, clear, strict=True):
            before = maximum
            if clears:
                maximum = blocks.RUNNING_MAX_START
            elif adds:
                maximum = max(maximum, int(group.max()) + 1)
            want_maximum.append(maximum)
            # After a clear the shift means nothing: there is nothing to shift.
            rise = None if clears else maximum - before
            want_shift.append(rise)
        inputs = {
            "score_floors": score_floors.tolist(),
            "add": add.tolist(),
            "clear": clear.tolist(),
        }
        dut = RunningMax(lanes=lanes, width=MAX_WIDTH)
        got = record(dut, inputs, ["maximum", "shift", "lost"], 302)
        assert got["maximum"][1:301] == want_maximum
        for rise, shift, lost in zip(want_shift, got["shift"][2:], got["lost"][2:], strict=True):
            if rise is not None:
                assert lost == (rise > blocks.MAX_RESCALE)
                assert lost or shift == rise

    @pytest.mark.quick
    def test_power_up(self, lanes):
        got = record(RunningMax(lanes=lanes, width=MAX_WIDTH), {}, ["maximum", "shift", "lost"], 4)
        assert got["maximum"] == [blocks.RUNNING_MAX_START] * 4
        assert got["shift"][2:] == got["lost"][2:] == [0, 0]


def ports(p, products, add, shift, clear):
    """Columns of groups as port values, each due in its own cycle."""

    def late(cycles, values):
        return [values[0]] * cycles + list(values)

    return {
        "p": p.tolist(),
        "products": late(WEIGH, products.tolist()),
        "add": [False] * ADDED + add.tolist() + [False],
        "shift": late(ADDED, np.minimum(shift, blocks.MAX_RESCALE).tolist()),
        "lost": late(ADDED, (shift > blocks.MAX_RESCALE).tolist()),
        "clear": late(ADDED, clear.tolist()),
    }


@both_plans
@all_lanes
class TestWeighedSum:
    def test_softmax_groups(self, plan, lanes):
        rng = np.random.default_rng(lanes)
        count = 200
        one = 1 << plan.weight_p_frac
        p = rng.integers(0, one + 1, (count, lanes))
        p = np.where(rng.random(p.shape) < 0.2, one, p)
        p[:, 0] = rng.integers(one // 2, one + 1, count)
        rows = rng.integers(plan.v.lo, plan.v.hi + 1, (count, lanes, 3))
        rows = np.where(rng.random(rows.shape) < 0.2, plan.v.lo, rows)
        add = rng.random(count) < 0.9
        clear = np.arange(count) % 25 == 0  # at most 24 groups of 8 fit the sums
        rise = rng.integers(0, 40, count) >> rng.integers(0, 7, count)
        add &= ~clear
        state, want = None, []
        for at in range(count):
            if clear[at]:
                maximum = np.int64(0)
                state = blocks.Softmax(maximum, np.zeros(3, np.int64), np.int64(0))
            elif add[at]:
                state = blocks.accumulate(state, state.running_max + rise[at], p[at], rows[at])
            want.append([*state.values.tolist(), int(state.denominator)])
        inputs = ports(p, p[..., None] * rows, add, np.where(add, rise, 0), clear)
        dut = WeightedSum(plan=plan, lanes=lanes)
        got = record(dut, inputs, ["values", "denominator"], count + ADDED + 1)
        sums = [
            [*values, denominator]
            for values, denominator in zip(
                *(seen[ADDED + 1 :] for seen in got.values()), strict=True
            )
        ]
        assert sums == want

    def test_longest_sums(self, plan, lanes):
        count, one = 256 // lanes, 1 << plan.weight_p_frac
        for row in (plan.v.lo, plan.v.hi):
            p = np.full((count, lanes), one)
            products = np.full((count, lanes, 3), one * row)
            off = np.zeros(count, np.int64)
            inputs = ports(p, products, off == 0, off, off > 0)
            dut = WeightedSum(plan=plan, lanes=lanes)
            got = record(dut, inputs, ["values", "denominator"], count + ADDED + 2)
            assert got["denominator"][-1] == 256 * one
            assert got["values"][-1] == [256 * one * row] * 3

    def test_hidden_groups_are_just_added(self, plan, lanes):
        rng = np.random.default_rng(lanes)
        count = 16 // lanes
        operand = QFormat(plan.weight_width, 0)
        for z in ([operand.lo], [operand.lo, operand.hi]):
            products = rng.choice(z, (count, lanes, 1)) * rng.choice(z, (count, lanes, 3))
            off = np.zeros(count, np.int64)
            p = np.zeros((count, lanes), np.int64)
            inputs = ports(p, products, off == 0, off, off > 0)
            got = record(WeightedSum(plan=plan, lanes=lanes), inputs, ["values"], count + ADDED + 2)
            assert got["values"][-1] == products.sum(axis=(0, 1)).tolist()
