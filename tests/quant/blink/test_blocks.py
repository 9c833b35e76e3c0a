# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.tables import rope_table
from glintfpga.quant.numbers.qformat import QFormat, shift_round

both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")


def spread(rng, fmt, *shape):
    """Random stored integers of every magnitude, some at the ends of the format."""
    values = rng.integers(fmt.lo, fmt.hi + 1, shape) >> rng.integers(0, fmt.width, shape)
    ends = rng.choice([fmt.lo, fmt.hi, 0, -1, 1], shape)
    return np.where(rng.random(shape) < 0.2, ends, values)


@given(st.integers(0, 2**52 - 1))
def test_bit_length(value):
    assert blocks.bit_length(np.array([value])).tolist() == [value.bit_length()]


@given(st.integers(-(2**40), 2**40), st.integers(0, blocks.MAX_RESCALE))
def test_rescale_rounds_like_shift_round(value, shift):
    got = blocks.rescale(np.array([value]), np.array([shift]))
    assert got.tolist() == [shift_round(value, shift)]


@both_plans
class TestRmsnorm:
    Y = QFormat(17, 10)

    def check(self, plan, y):
        h = blocks.rmsnorm(plan, y)
        exact = y / np.sqrt((y.astype(float) ** 2).mean(axis=-1, keepdims=True) + 1e-5 * 2**20)
        # The table has 8 bits of the sum, so 1/sqrt is off by at most 0.1 %; then h is rounded,
        # and epsilon is 31 / 2**20 rather than 31.46 / 2**20, which shows where y is tiny.
        error = abs(plan.h.real(h) - exact)
        assert (error <= plan.h.ulp / 2 + abs(exact) * 0.0011 + (abs(y) < 64) * 0.01).all()
        assert (plan.h.saturate(h) == h).all()
        return h

    def test_every_magnitude(self, plan):
        rng = np.random.default_rng(1)
        self.check(plan, spread(rng, self.Y, 20000, 3))
        for bits in range(1, 17):
            self.check(plan, rng.integers(-(1 << bits), 1 << bits, (500, 3)))

    @pytest.mark.quick
    def test_edges(self, plan):
        values = [0, 1, -1, 7, 8, -8, -9, 65535, -65536, 32768]
        self.check(plan, np.array([[a, b, c] for a in values for b in values for c in values]))

    def test_zero(self, plan):
        assert blocks.rmsnorm(plan, np.zeros((1, 3), np.int64)).tolist() == [[0, 0, 0]]

    def test_one_hot_and_all_equal(self, plan):
        one = 1 << plan.h.frac
        for size in (1 << 8, 1 << 12, 65535):
            (h,) = self.check(plan, np.array([[0, -size, 0]]))
            assert (h[0], h[2]) == (0, 0)
            assert abs(h[1] + one * 3**0.5) <= 2
            (h,) = self.check(plan, np.array([[size, -size, size]]))
            assert abs(h - [one, -one, one]).max() <= 1

    def test_batch_axes(self, plan):
        y = spread(np.random.default_rng(2), self.Y, 2, 5, 3)
        h = blocks.rmsnorm(plan, y)
        assert h.shape == y.shape
        assert (h[1, 4] == blocks.rmsnorm(plan, y[1, 4])).all()


def test_dot_is_exact():
    rng = np.random.default_rng(1)
    fmt = QFormat(12, 0)
    rows, vectors = spread(rng, fmt, 7, 3), spread(rng, fmt, 5, 3)
    got = blocks.dot(rows, vectors)
    for i, vector in enumerate(vectors.tolist()):
        want = [sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows.tolist()]
        assert got[i].tolist() == want


@given(st.lists(st.integers(-(2**25), 2**25), min_size=1), st.integers(0, 18))
def test_requantize(products, shift):
    fmt = QFormat(10, 6)
    want = [fmt.saturate(shift_round(product, shift)) for product in products]
    assert blocks.requantize(np.array(products), shift, fmt).tolist() == want


@both_plans
class TestRope:
    def test_turns(self, plan):
        rng = np.random.default_rng(1)
        vectors = spread(rng, plan.qk, 500, 3)
        for step, entry in enumerate(rope_table(plan.rope, 44)):
            angle = 2 * np.pi * step / 44
            got = blocks.rope(plan, vectors, entry)
            a, b, c = vectors.T
            exact = np.stack(
                [a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle), c]
            ).T
            # Half a unit of the result, and half a unit of cosine and sine on each number.
            bound = 0.5 + (abs(a) + abs(b)) * plan.rope.ulp * 0.5001
            assert (abs(got - exact.clip(plan.qk.lo, plan.qk.hi)) <= bound[:, None]).all()
            assert (got[:, 2] == c).all()

    def test_no_turn_changes_nothing(self, plan):
        vectors = spread(np.random.default_rng(1), plan.qk, 100, 3)
        entry = np.array([1 << plan.rope.frac, 0])
        assert (blocks.rope(plan, vectors, entry) == vectors).all()

    def test_saturates(self, plan):
        vectors = np.array([[plan.qk.hi, plan.qk.hi, 5], [plan.qk.lo, plan.qk.lo, 5]])
        eighth = rope_table(plan.rope, 8)[1]
        got = blocks.rope(plan, vectors, eighth)
        assert got[:, 1].tolist() == [plan.qk.hi, plan.qk.lo]


@both_plans
class TestSwiglu:
    def test_product(self, plan):
        rng = np.random.default_rng(1)
        gate, up = spread(rng, plan.gate, 5000), spread(rng, plan.up, 5000)
        g, u = plan.gate.real(gate), plan.up.real(up)
        exact = (g / (1 + np.exp(-g))).clip(None, plan.silu.real(plan.silu.hi)) * u
        exact = exact.clip(plan.z.real(plan.z.lo), plan.z.real(plan.z.hi))
        got = plan.z.real(blocks.swiglu(plan, gate, up))
        assert (abs(got - exact) <= plan.z.ulp / 2 + plan.silu.ulp / 2 * abs(u)).all()

    def test_edges(self, plan):
        def z(gate, up):
            return int(blocks.swiglu(plan, np.array([gate]), np.array([up]))[0])

        assert z(0, plan.up.hi) == z(plan.gate.hi, 0) == 0
        assert z(plan.gate.hi, plan.up.hi) == plan.z.hi
        assert z(plan.gate.hi, plan.up.lo) == plan.z.lo
        assert 0 <= z(plan.gate.lo, plan.up.lo) <= 4


@both_plans
def test_residual_add(plan):
    x = np.array([32767, -32768, 100, 32767])
    delta = np.array([1, -1, -300, 1 << 20])
    assert blocks.residual_add(plan, x, delta).tolist() == [32767, -32768, -200, 32767]
