# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import LOGIT, TO_OPERAND, VALUE, WEIGH, Z
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.lane import Lane
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.numbers.qformat import QFormat
from support.component_bench import record

DEPTH = 32
# Cycles after the dot address, which is a cycle after the word of the group:
OPERAND_AT = TO_OPERAND - 1
VALUE_AT = VALUE - 1
P_AT = VALUE_AT + 1
Z_AT = Z - 1
both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")


def numbers(rng, plan, *shape):
    """Operands over the whole width, a third of them at its ends."""
    fmt = QFormat(plan.weight_width, 0)
    values = rng.integers(fmt.lo, fmt.hi + 1, shape) >> rng.integers(0, fmt.width, shape)
    return np.where(rng.random(shape) < 0.3, rng.choice([fmt.lo, fmt.hi], shape), values)


def build(plan, dot_rows, sum_rows):
    width = plan.weight_width
    packed = [[pack_row(row, width) for row in rows] for rows in (dot_rows, sum_rows)]
    return Lane(plan=plan, depth=DEPTH, two_banks=True, dot_init=packed[0], sum_init=packed[1])


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
            "operand": late(OPERAND_AT, operands.tolist()),
            "shift": late(VALUE_AT, shift.tolist()),
        }
        got = record(build(plan, rows, rows), inputs, ["value"], 400 + VALUE_AT)
        assert got["value"][VALUE_AT:] == want

    def test_the_newest_key_comes_past_the_bank(self, plan):
        """A row that is being written is not needed from the bank, nor is any other."""
        rng = np.random.default_rng(5)
        count, width = 200, plan.weight_width
        rows, newest = numbers(rng, plan, DEPTH, 3), numbers(rng, plan, count, 3)
        at, operands = rng.integers(0, DEPTH, count), numbers(rng, plan, count, 3)
        use = rng.random(count) < 0.5
        products = (np.where(use[:, None], newest, rows[at]) * operands).sum(axis=1)
        packed = [pack_row(row, width) for row in newest]
        inputs = {
            "dot_address": at.tolist(),
            "operand": late(OPERAND_AT, operands.tolist()),
            "newest_k": late(OPERAND_AT, packed),
            "use_newest": late(OPERAND_AT, use.tolist()),
            "shift": [plan.max_shift - plan.min_shift],
        }
        got = record(build(plan, rows, rows), inputs, ["value"], count + VALUE_AT)
        want = blocks.requantize(products, plan.max_shift, plan.value)
        assert got["value"][VALUE_AT:] == want.tolist()

    def test_logits_of_both_banks(self, plan):
        """In one cycle, though the sum bank is a cycle behind, for every shift."""
        rng = np.random.default_rng(6)
        count, at_logit = 200, LOGIT - 1
        dot_rows, sum_rows = numbers(rng, plan, DEPTH, 3), numbers(rng, plan, DEPTH, 3)
        operands = numbers(rng, plan, count, 3)
        dot_at, sum_at = rng.integers(0, DEPTH, (2, count))
        for shift in range(1 << plan.shift_bits):
            inputs = {
                "dot_address": dot_at.tolist(),
                "sum_address": late(1, sum_at.tolist()),
                "operand": late(OPERAND_AT, operands.tolist()),
                "sum_operand": late(OPERAND_AT + 1, operands.tolist()),
                "select_operand": [1],
                "shift": [shift],
                "logit_shift": [shift],
            }
            got = record(build(plan, dot_rows, sum_rows), inputs, ["logits"], count + at_logit)
            products = np.stack([dot_rows[dot_at] * operands, sum_rows[sum_at] * operands], axis=1)
            want = blocks.requantize(products.sum(axis=2), plan.min_shift + shift, plan.value)
            assert got["logits"][at_logit:] == want.tolist()


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
            "operand": late(OPERAND_AT, queries.tolist()),
            "shift": [score_shift],
            "valid": late(VALUE_AT, valid.tolist()),
            "running_max": late(P_AT, maxima.tolist()),
            "sum_address": late(P_AT - 1, v_at.tolist()),
            "select_z": [0],
        }
        got = record(
            build(plan, keys, rows), inputs, ["score_floor", "p", "products"], count + P_AT + WEIGH
        )
        want = np.where(valid, products >> 2 * plan.qk.frac, blocks.RUNNING_MAX_START)
        assert got["score_floor"][VALUE_AT:][:count] == want.tolist()
        assert got["p"][P_AT:][:count] == p.tolist()
        assert got["products"][P_AT + WEIGH :] == (p[:, None] * rows[v_at]).tolist()


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
            "operand": late(OPERAND_AT, operands.tolist()),
            "shift": late(VALUE_AT, shifts.tolist()),
            # z comes every other cycle; the row stays, whatever is weighted in between.
            "sum_address": late(Z_AT - 1, np.repeat(v_at, 2).tolist()),
            "select_z": [1],
            "valid": [0],
        }  # fmt: skip
        got = record(build(plan, keys, rows), inputs, ["products"], 2 * count + Z_AT + WEIGH)
        assert got["products"][Z_AT + WEIGH :: 2][:count] == (z[:, None] * rows[v_at]).tolist()


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
            "sum_address": late(DEPTH + 1 + P_AT - 1, range(DEPTH)),
            "operand": [hot.tolist()],
            "shift": [plan.max_shift - plan.min_shift],
            "valid": [1],
            "running_max": [0],
        }
        lane = build(plan, old, old)
        got = record(lane, inputs, ["value", "p", "products"], 2 * DEPTH + 1 + P_AT + WEIGH)
        written = (kind & 1)[:, None]
        dot_rows = np.where(written, new[0], old)
        sum_rows = np.where((kind >> 1)[:, None], new[1], old)
        value = blocks.requantize((dot_rows * hot).sum(axis=1), plan.max_shift, plan.value)
        start = DEPTH + 1
        assert got["value"][start + VALUE_AT :][:DEPTH] == value.tolist()
        p = np.array(got["p"][start + P_AT :][:DEPTH])
        assert got["products"][start + P_AT + WEIGH :] == (p[:, None] * sum_rows).tolist()
        assert p.any()
