# SPDX-License-Identifier: MIT
"""The arithmetic of the chip, block by block, on stored integers; `docs/number-plan.md` in words.

Each function is what one component of ``hdl/`` computes, bit for bit, over any leading batch
axes (shown as ``...``). All arrays are int64.
"""

from typing import NamedTuple

import numpy as np

from glintfpga.quant.blink.plan import DENOMINATOR_WIDTH, NumberPlan
from glintfpga.quant.blink.tables import (
    EPSILON_SUM,
    RECIPROCAL,
    RECIPROCAL_LOG2,
    RSQRT,
    RSQRT_LOG2,
    exp2_table,
    silu_table,
)
from glintfpga.quant.numbers.qformat import QFormat, shift_round

__all__ = [
    "MAX_RESCALE",
    "Softmax",
    "accumulate",
    "attention_output",
    "bit_length",
    "dot",
    "group_weights",
    "requantize",
    "rescale",
    "residual_add",
    "rmsnorm",
    "rope",
    "swiglu",
]

MAX_RESCALE = 15
"""Sums whose maximum is exceeded by more than this, in powers of two, count as zero."""

RUNNING_MAX_START = -(1 << 13)
_FAR_BELOW = 31
_PORT = QFormat(18, 0)


class Softmax(NamedTuple):
    """State of the one-pass softmax over groups."""

    running_max: np.ndarray
    """(...) an integer m: a weight is ``2**(score - m)``."""
    values: np.ndarray
    """(..., 3) sum of weight times V' row."""
    denominator: np.ndarray
    """(...) sum of weights."""

    @classmethod
    def start(cls, shape: tuple[int, ...]) -> "Softmax":
        running_max = np.full(shape, RUNNING_MAX_START, np.int64)
        return cls(running_max, np.zeros((*shape, 3), np.int64), np.zeros(shape, np.int64))


def bit_length(value: np.ndarray) -> np.ndarray:
    """Bits of non-negative integers below 2**52 (0 for 0)."""
    return np.frexp(value.astype(np.float64))[1].astype(np.int64)


def rescale(value: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """``shift_round`` by a data-dependent shift, in the form the gateware has: one spare bit."""
    return (((value << 1) >> shift) + 1) >> 1


def rmsnorm(plan: NumberPlan, y: np.ndarray) -> np.ndarray:
    """``h = y / sqrt(mean(y**2) + 1e-5)``: (..., 3) with the fraction of x -> (..., 3) of h.

    y (17 bits) is shifted left until its largest number fills 17 bits, so the sum of squares lies
    in four octaves and a table of its leading bits gives 1/sqrt without an exponent. Epsilon is
    `EPSILON_SUM` in the sum before the shift; the shift stops at 13, where epsilon alone keeps the
    sum in range.
    """
    magnitude = (y ^ (y >> 63)).max(axis=-1)
    left = np.minimum(13, 16 - bit_length(magnitude))
    total = ((y * y).sum(axis=-1) + EPSILON_SUM) << (2 * left)
    octave = bit_length(total) - 31
    index = octave * 256 + ((total >> (22 + octave)) & 255)
    m = y << left[..., None]
    return shift_round(m * RSQRT[index][..., None], RSQRT_LOG2 - plan.h.frac)


def dot(rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Rows (n, 3) past a vector (..., 3) -> (..., n), exact."""
    return vector @ rows.T


def requantize(products: np.ndarray, shift: int, fmt: QFormat) -> np.ndarray:
    """The output of a lane: the rounded right shift, saturated."""
    return fmt.saturate(shift_round(products, shift))


def rope(plan: NumberPlan, vector: np.ndarray, cos_sin: np.ndarray) -> np.ndarray:
    """Turn dims 0 and 1 of (..., 3) by the angle with this cosine and sine; dim 2 stays."""
    cos, sin = int(cos_sin[0]), int(cos_sin[1])
    a, b = vector[..., 0], vector[..., 1]
    turned = vector.copy()
    turned[..., 0] = requantize(a * cos - b * sin, plan.rope.frac, plan.qk)
    turned[..., 1] = requantize(a * sin + b * cos, plan.rope.frac, plan.qk)
    return turned


def group_weights(
    plan: NumberPlan, products: np.ndarray, valid: np.ndarray, previous_max: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Softmax weights of one group: q.k products (..., P), valid (P,) -> (running_max, p).

    ``running_max`` (...) is an integer above every score so far: the running one, or, if higher,
    the largest unrounded product, rounded down to an integer, plus 1.
    ``p = 2**(score - running_max)`` (..., P) with the plan's fraction: at least 1/2 for the largest
    when it raises ``running_max``, 0 for lanes that are not valid.
    """
    frac = 2 * plan.qk.frac
    lowest = np.int64(RUNNING_MAX_START)
    group = np.where(valid, products >> frac, lowest).max(axis=-1) + 1
    running_max = np.maximum(previous_max, group)
    score = shift_round(products, frac - plan.score_frac)
    below = (running_max[..., None] << plan.score_frac) - score
    under = np.minimum(below >> plan.score_frac, _FAR_BELOW)
    p = rescale(exp2_table(plan)[below & 7], np.maximum(under, 0))
    return running_max, np.where(valid, p, 0)


def accumulate(
    state: Softmax, running_max: np.ndarray, p: np.ndarray, values: np.ndarray
) -> Softmax:
    """Add one group whose p (..., P) refer to ``running_max`` and weigh the V' rows (..., P, 3).

    What was summed up under a lower maximum is shifted down first, rounded half up, and is zero
    where that is more than `MAX_RESCALE`.
    """
    rise = running_max - state.running_max
    shift = np.minimum(rise, MAX_RESCALE)
    kept = rise <= MAX_RESCALE
    values_kept = np.where(kept[..., None], rescale(state.values, shift[..., None]), 0)
    return Softmax(
        running_max,
        values_kept + (p[..., None] * values).sum(axis=-2),
        np.where(kept, rescale(state.denominator, shift), 0) + p.sum(axis=-1),
    )


def attention_output(plan: NumberPlan, state: Softmax) -> np.ndarray:
    """``values / denominator`` (..., 3) with the fraction of x, by a table of reciprocals.

    Both are shifted left until ``denominator`` (not 0) has `DENOMINATOR_WIDTH` bits. Its 10 bits
    below the leading one pick the entry; ``values`` are rounded, by the bits of a V' row less the
    sign, and saturated to the 18 bits of the multiplier before they meet it. The result is not
    saturated.
    """
    left = DENOMINATOR_WIDTH - bit_length(state.denominator)
    index = ((state.denominator << left) >> 6) & 1023
    narrow = plan.v.width - 1
    numerator = _PORT.saturate(shift_round(state.values << left[..., None], narrow))
    shift = RECIPROCAL_LOG2 - narrow - (plan.x.frac - plan.v.frac)
    return shift_round(numerator * RECIPROCAL[index][..., None], shift)


def swiglu(plan: NumberPlan, gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    """``z = silu(gate) * up``, element by element."""
    silu = silu_table(plan)[gate & ((1 << plan.gate.width) - 1)]
    return requantize(silu * up, plan.silu.frac + plan.up.frac - plan.z.frac, plan.z)


def residual_add(plan: NumberPlan, x: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """``x + delta``, saturated."""
    return plan.x.saturate(x + delta)
