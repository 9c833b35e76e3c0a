# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.lane import Lane
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.numbers.qformat import QFormat
from support.component_bench import record

DEPTH = 32
both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")


def numbers(rng, plan, *shape):
    """Operands over the whole width, a third of them at its ends."""
    fmt = QFormat(plan.weight_width, 0)
    values = rng.integers(fmt.lo, fmt.hi + 1, shape) >> rng.integers(0, fmt.width, shape)
    return np.where(rng.random(shape) < 0.3, rng.choice([fmt.lo, fmt.hi], shape), values)


def build(plan, dot_rows, sum_rows):
    width = plan.weight_width
    packed = [[pack_row(row, width) for row in rows] for rows in (dot_rows, sum_rows)]
    return Lane(plan=plan, depth=DEPTH, dot_init=packed[0], sum_init=packed[1])


def late(cycles, values):
    """A port's values when the first is due some cycles after the dot address."""
    values = list(values)
    return values[:1] * cycles + values


@both_plans
class TestDot:
    def test_every_shift(self, plan):
        rng = np.random.default_rng(1)
        rows, operands = numbers(rng, plan, DEPTH, 3), numbers(rng, plan, 400, 3)
        at, shift = rng.integers(0, DEPTH, 400), np.arange(400) % (1 << plan.shift_bits)
        products = (rows[at] * operands).sum(axis=1)
        want = [
            int(blocks.requantize(product, plan.min_shift + int(s), plan.value))
            for product, s in zip(products, shift, strict=True)
        ]
        inputs = {
            "dot_address": at.tolist(),
            "operand": late(1, operands.tolist()),
            "shift": late(4, shift.tolist()),
        }
        got = record(build(plan, rows, rows), inputs, ["value"], 404)
        assert got["value"][4:] == want


@both_plans
class TestSoftmax:
    def test_weights_and_products(self, plan):
        rng = np.random.default_rng(2)
        count = 400
        keys, rows = numbers(rng, plan, DEPTH, 3), numbers(rng, plan, DEPTH, 3)
        queries = numbers(rng, plan, count, 3) >> rng.integers(0, 8, (count, 1))
        at, v_at = rng.integers(0, DEPTH, count), rng.integers(0, DEPTH, count)
        valid = rng.random(count) < 0.8
        products = (keys[at] * queries).sum(axis=1)
        # Other lanes and groups put the maximum anywhere at or above this lane's score.
        running = (products >> 2 * plan.qk.frac) + rng.integers(-3, 20, count)
        maxima, p = blocks.group_weights(plan, products[:, None], np.array([True]), running)
        p = np.where(valid, p[:, 0], 0)
        score_shift = 2 * plan.qk.frac - plan.score_frac - plan.min_shift
        inputs = {
            "dot_address": at.tolist(),
            "operand": late(1, queries.tolist()),
            "shift": [score_shift],
            "valid": late(4, valid.tolist()),
            "running_max": late(5, maxima.tolist()),
            "sum_address": late(4, v_at.tolist()),
            "select_z": [0],
        }
        got = record(build(plan, keys, rows), inputs, ["score_floor", "p", "products"], count + 7)
        want = np.where(valid, products >> 2 * plan.qk.frac, blocks.RUNNING_MAX_START)
        assert got["score_floor"][4:-3] == want.tolist()
        assert got["p"][5:-2] == p.tolist()
        assert got["products"][7:] == (p[:, None] * rows[v_at]).tolist()


@both_plans
class TestHidden:
    def test_silu_times_up_times_down(self, plan):
        rng = np.random.default_rng(3)
        count = 200
        keys, rows = numbers(rng, plan, DEPTH, 3), numbers(rng, plan, DEPTH, 3)
        operands, shifts = (
            numbers(rng, plan, 2 * count, 3),
            rng.integers(0, 1 << plan.shift_bits, 2 * count),
        )
        at, v_at = rng.integers(0, DEPTH, 2 * count), rng.integers(0, DEPTH, count)
        products = (keys[at] * operands).sum(axis=1)
        total = plan.min_shift + shifts
        value = plan.value.saturate(
            np.array(
                [blocks.shift_round(v, s) for v, s in zip(products, total.tolist(), strict=True)]
            )
        )
        gate, up = plan.gate.saturate(value[::2]), plan.up.saturate(value[1::2])
        z = blocks.swiglu(plan, gate, up)
        inputs = {
            "dot_address": at.tolist(),
            "operand": late(1, operands.tolist()),
            "shift": late(4, shifts.tolist()),
            # z comes every other cycle; the row stays, whatever is weighted in between.
            "sum_address": late(6, np.repeat(v_at, 2).tolist()),
            "select_z": [1],
            "valid": [0],
        }  # fmt: skip
        got = record(build(plan, keys, rows), inputs, ["products"], 2 * count + 9)
        assert got["products"][9::2][:count] == (z[:, None] * rows[v_at]).tolist()


@both_plans
class TestRows:
    @pytest.mark.quick
    def test_writes(self, plan):
        rng = np.random.default_rng(4)
        old, new = numbers(rng, plan, DEPTH, 3), numbers(rng, plan, 2, DEPTH, 3)
        width, hot = plan.weight_width, numbers(rng, plan, 3)
        order = rng.permutation(DEPTH)
        kind = rng.integers(0, 4, DEPTH)
        reads = order.tolist()
        inputs = {
            # All writes come before all reads: never both at one row.
            "row_address": reads,
            "dot_row": [pack_row(new[0, row], width) for row in reads],
            "sum_row": [pack_row(new[1, row], width) for row in reads],
            "dot_write": [*(kind[reads] & 1).tolist(), 0],
            "sum_write": [*(kind[reads] >> 1).tolist(), 0],
            "dot_address": late(DEPTH + 1, range(DEPTH)),
            "sum_address": late(DEPTH + 5, range(DEPTH)),
            "operand": [hot.tolist()],
            "shift": [plan.max_shift - plan.min_shift],
            "valid": [1],
            "running_max": [0],
        }
        lane = build(plan, old, old)
        got = record(lane, inputs, ["value", "p", "products"], 2 * DEPTH + 8)
        written = (kind & 1)[:, None]
        dot_rows = np.where(written, new[0], old)
        sum_rows = np.where((kind >> 1)[:, None], new[1], old)
        value = blocks.requantize((dot_rows * hot).sum(axis=1), plan.max_shift, plan.value)
        start = DEPTH + 1
        assert got["value"][start + 4 : start + 4 + DEPTH] == value.tolist()
        p = np.array(got["p"][start + 5 : start + 5 + DEPTH])
        assert got["products"][start + 7 : start + 7 + DEPTH] == (p[:, None] * sum_rows).tolist()
        assert p.any()
