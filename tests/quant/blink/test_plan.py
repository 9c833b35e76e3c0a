# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.blink.plan import PLAN9, PLAN12, PLANS, plan_of
from glintfpga.quant.errors import InputError

FORMATS = {
    PLAN12: "h s12.10, qk s12.6, v s12.7, rope s12.10, silu s12.8, up s12.9, z s12.8",
    PLAN9: "h s9.7, qk s9.3, v s9.4, rope s9.7, silu s9.5, up s9.6, z s9.5",
}
SHARED = "x s16.10, gate s10.6, value s20.8, logit s20.8, temperature u10.8, gumbel s16.10"


@pytest.mark.parametrize("plan", FORMATS, ids=lambda plan: f"plan{plan.code}")
class TestPlans:
    def test_formats(self, plan):
        for entry in f"{FORMATS[plan]}, {SHARED}".split(", "):
            name, fmt = entry.split()
            assert str(getattr(plan, name)) == fmt, name

    def test_operands_fit_the_multipliers_of_a_lane(self, plan):
        for name in ("h", "qk", "v", "rope", "silu", "up", "z"):
            assert getattr(plan, name).width == plan.weight_width == plan.code
        assert 1 << plan.weight_p_frac < 1 << (plan.weight_width - 1), "p is a positive operand"

    def test_one_is_exact(self, plan):
        assert plan.rope.quantize(1.0) == 1 << plan.rope.frac

    def test_scores_fit_what_a_lane_hands_on(self, plan):
        largest = 3 << (2 * (plan.weight_width - 1))
        score_shift = 2 * plan.qk.frac - plan.score_frac
        assert plan.min_shift <= score_shift <= plan.max_shift
        assert largest >> score_shift <= plan.value.hi
        assert plan is PLAN9 or largest >> plan.min_shift <= plan.value.hi, "never saturates"

    @pytest.mark.quick
    def test_norm_cannot_overflow(self, plan):
        assert plan.h.real(plan.h.hi) > 3**0.5 * 1.001

    def test_lookup(self, plan):
        assert plan_of(plan.code) is plan
        assert PLANS[plan.code] is plan


def test_shifts():
    assert (PLAN12.min_shift, PLAN12.max_shift) == (7, 14)
    assert (PLAN9.min_shift, PLAN9.max_shift) == (0, 15)
    assert (PLAN12.min_sum_shift, PLAN12.max_sum_shift) == (2, 17)
    assert (PLAN9.min_sum_shift, PLAN9.max_sum_shift) == (-2, 13)


@pytest.mark.parametrize("code", [0, 10, 16])
def test_unknown(code):
    with pytest.raises(InputError, match=rf"unknown number plan {code}: use one of \[9, 12\]"):
        plan_of(code)
