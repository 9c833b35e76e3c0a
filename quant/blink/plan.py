# SPDX-License-Identifier: MIT
"""Number plans: the format of every tensor on the chip.

Plan 12 keeps values and weights in 12 bits (18-bit multipliers); plan 9 in 9 bits (twice as many
9-bit multipliers). Everything outside the lanes is the same in both.
"""

from dataclasses import dataclass

from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.formats import GUMBEL_NOISE, LOGIT, TEMPERATURE
from glintfpga.quant.numbers.qformat import QFormat

__all__ = [
    "DEFAULT_PLAN",
    "DENOMINATOR_WIDTH",
    "PLAN9",
    "PLAN12",
    "PLANS",
    "NumberPlan",
    "plan_of",
]


DENOMINATOR_WIDTH = 17
"""Bits of softmax's sum of weights: 256 rows of weight 1 with 8 fractional bits, and rounding."""


@dataclass(frozen=True, kw_only=True)
class NumberPlan:
    """Formats by tensor. ``code`` is the operand width and names the plan in image and hello."""

    code: int
    h: QFormat
    """Normalized vector that enters the lanes."""
    weight_width: int
    """Bits of a weight; its fraction is chosen for each matrix and pass."""
    min_shift: int
    """Least requantization shift of a lane."""
    shift_bits: int
    """Steps above the least one that a lane can do, as bits. Trained weights use 7 to 14 at 12
    bits, so three are enough there, and then no product can exceed ``value``: that saves the
    saturation too."""
    qk: QFormat
    """q and k, before and after RoPE."""
    v: QFormat
    rope: QFormat
    """Cosine and sine; 1.0 must be exact."""
    silu: QFormat
    up: QFormat
    z: QFormat
    x: QFormat = QFormat(16, 10)
    """Residual vector and loop embedding."""
    gate: QFormat = QFormat(10, 6)
    """SiLU argument, the address of its table."""
    score_frac: int = 3
    value: QFormat = LOGIT
    """Widest output of a lane; the format of logits (scores use ``score_frac``)."""
    weight_p_frac: int = 8
    """Fraction of the softmax weights p, which run from 0 to 1 included."""
    temperature: QFormat = TEMPERATURE
    gumbel: QFormat = GUMBEL_NOISE

    @property
    def max_shift(self) -> int:
        return self.min_shift + (1 << self.shift_bits) - 1

    @property
    def min_sum_shift(self) -> int:
        """Least shift of a weighted sum: what softmax needs when the weights' sum is smallest.

        Down projections share its shifter, so ``shift_down`` lies from here (and 0) on up.
        """
        return self.v.width - 1 - DENOMINATOR_WIDTH + self.weight_p_frac

    @property
    def max_sum_shift(self) -> int:
        return self.min_sum_shift + 15

    @property
    def logit(self) -> QFormat:
        return self.value


PLAN12 = NumberPlan(
    code=12,
    h=QFormat(12, 10),
    weight_width=12,
    min_shift=7,
    shift_bits=3,
    qk=QFormat(12, 6),
    v=QFormat(12, 7),
    rope=QFormat(12, 10),
    silu=QFormat(12, 8),
    up=QFormat(12, 9),
    z=QFormat(12, 8),
)
PLAN9 = NumberPlan(
    code=9,
    h=QFormat(9, 7),
    weight_width=9,
    min_shift=0,
    shift_bits=4,
    qk=QFormat(9, 3),
    v=QFormat(9, 4),
    rope=QFormat(9, 7),
    silu=QFormat(9, 5),
    up=QFormat(9, 6),
    z=QFormat(9, 5),
    weight_p_frac=7,
)
PLANS = {plan.code: plan for plan in (PLAN12, PLAN9)}
"""All that a device can be built for, by code."""

DEFAULT_PLAN = PLAN12


def plan_of(code: int) -> NumberPlan:
    """Return the plan with this code, or raise ``InputError`` that lists the known ones."""
    if code not in PLANS:
        raise InputError(f"unknown number plan {code!r}: use one of {sorted(PLANS)}")
    return PLANS[code]
