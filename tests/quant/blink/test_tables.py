# SPDX-License-Identifier: MIT
import math

import numpy as np
import pytest

from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.tables import (
    EPSILON_SUM,
    RECIPROCAL,
    RECIPROCAL_LOG2,
    RSQRT,
    RSQRT_LOG2,
    exp2_table,
    rope_table,
    silu_table,
)

both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")


class TestRsqrt:
    def test_size(self):
        assert RSQRT.shape == (1024,)
        assert RSQRT.max() < 1 << 16, "an unsigned 16-bit word"
        assert (np.diff(RSQRT) < 0).all()

    def test_error_at_both_ends_of_every_entry(self):
        octave, mantissa = np.divmod(np.arange(1024), 256)
        for end in (0, 1):
            total = (256 + mantissa + end) * 2.0 ** (22 + octave)
            error = RSQRT / (math.sqrt(3) * 2.0**RSQRT_LOG2 / np.sqrt(total)) - 1
            assert abs(error).max() < 1 / 1000

    def test_first_and_last(self):
        for index, total in ((0, 256.5 * 2.0**22), (1023, 511.5 * 2.0**25)):
            assert RSQRT[index] == round(math.sqrt(3) * 2**RSQRT_LOG2 / math.sqrt(total))


class TestReciprocal:
    def test_size(self):
        assert RECIPROCAL.shape == (1024,)
        assert 1 << 16 <= RECIPROCAL.min() <= RECIPROCAL.max() < 1 << 17
        assert (np.diff(RECIPROCAL) < 0).all()

    def test_error_at_both_ends_of_every_entry(self):
        for end in (0, 64):
            length = 65536 + np.arange(1024) * 64 + end
            assert abs(RECIPROCAL * length / 2.0**RECIPROCAL_LOG2 - 1).max() < 1 / 2000


def test_epsilon():
    assert EPSILON_SUM == math.floor(3e-5 * 2**20) == 31


@both_plans
def test_no_entry_is_near_a_rounding_edge(plan):
    # Otherwise another libm could round it the other way, and two machines would disagree.
    i = np.arange(1024)
    gate = ((i + 512) % 1024 - 512) / 64
    angle = 2 * np.pi * np.concatenate([np.arange(44) / 44, np.arange(710) / 710])
    for reals in (
        np.sqrt(3) * 2.0**RSQRT_LOG2 / np.sqrt((256.5 + i % 256) * 2.0 ** (22 + i // 256)),
        2.0**RECIPROCAL_LOG2 / (65536 + 64 * (i + 0.5)),
        2.0 ** (plan.weight_p_frac - np.arange(8) / 8),
        2.0**plan.silu.frac * gate / (1 + np.exp(-gate)),
        2.0**plan.rope.frac * np.concatenate([np.cos(angle), np.sin(angle)]),
    ):
        assert np.abs(reals - np.floor(reals) - 0.5).min() > 1e-6


@both_plans
class TestExp2:
    def test_entries(self, plan):
        one = 1 << plan.weight_p_frac
        assert exp2_table(plan).tolist() == [round(one * 2 ** (-i / 8)) for i in range(8)]

    @pytest.mark.quick
    def test_range(self, plan):
        table = exp2_table(plan)
        assert table[0] == 1 << plan.weight_p_frac
        assert table[7] > 1 << (plan.weight_p_frac - 1)


@both_plans
class TestSilu:
    def test_every_address(self, plan):
        table = silu_table(plan)
        assert table.shape == (1024,)
        for address, entry in enumerate(table.tolist()):
            gate = (address - 1024 if address >= 512 else address) / 64
            exact = gate / (1 + math.exp(-gate))
            top = plan.silu.real(plan.silu.hi)
            assert abs(plan.silu.real(entry) - min(exact, top)) <= plan.silu.ulp / 2

    def test_shape_of_the_curve(self, plan):
        table = silu_table(plan)
        assert table[0] == 0
        assert plan.silu.real(table.min()) == pytest.approx(-0.2785, abs=plan.silu.ulp)
        assert (np.diff(table[:512]) >= 0).all()


@both_plans
@pytest.mark.parametrize("denominator", [1, 44, 710])
class TestRope:
    def test_entries(self, plan, denominator):
        table = rope_table(plan.rope, denominator)
        assert table.shape == (denominator, 2)
        for i, (cos, sin) in enumerate(plan.rope.real(table)):
            angle = 2 * math.pi * i / denominator
            assert abs(cos - math.cos(angle)) <= plan.rope.ulp * 0.500001
            assert abs(sin - math.sin(angle)) <= plan.rope.ulp * 0.500001

    def test_starts_exactly_at_one(self, plan, denominator):
        assert rope_table(plan.rope, denominator)[0].tolist() == [1 << plan.rope.frac, 0]
