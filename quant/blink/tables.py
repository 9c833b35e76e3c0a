# SPDX-License-Identifier: MIT
"""The small tables around the lanes, as stored integers. Gateware and reference share them.

Every table is one block RAM (or a few LUTs) on the chip; sizes follow the RAM, not the least
that would do: 1024 entries of 18 bits cost the same block as 128 entries of 9 bits.
"""

from functools import cache

import numpy as np

from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.numbers.qformat import QFormat

__all__ = [
    "EPSILON_SUM",
    "RECIPROCAL",
    "RECIPROCAL_LOG2",
    "RSQRT",
    "RSQRT_LOG2",
    "exp2_table",
    "rope_table",
    "silu_table",
]

RSQRT_LOG2 = 30
"""``RSQRT`` holds ``sqrt(3) * 2**30 / sqrt(sum)`` for sums in ``[2**30, 2**34)``."""

RECIPROCAL_LOG2 = 33
"""``RECIPROCAL`` holds ``2**33 / denominator`` for denominators in ``[2**16, 2**17)``."""

EPSILON_SUM = int(3 * 1e-5 * 2**20)
"""RMSNorm's epsilon, 31: a term of the sum of squares of three numbers with 10 fractional bits."""


def _half_up(real: np.ndarray) -> np.ndarray:
    return np.floor(real + 0.5).astype(np.int64)


def _rsqrt() -> np.ndarray:
    """Index: octave (2 bits), then the 8 bits below the leading one. An entry is the value at the
    middle of the sums that share it."""
    octave, mantissa = np.divmod(np.arange(1024), 256)
    middle = (256 + mantissa + 0.5) * 2.0 ** (22 + octave)
    return _half_up(np.sqrt(3) * 2.0**RSQRT_LOG2 / np.sqrt(middle))


def _reciprocal() -> np.ndarray:
    """Index: the 10 bits below the leading one. Entries at middles, too."""
    middle = 65536 + (np.arange(1024) + 0.5) * 64
    return _half_up(2.0**RECIPROCAL_LOG2 / middle)


RSQRT = _rsqrt()
RECIPROCAL = _reciprocal()


@cache
def exp2_table(plan: NumberPlan) -> np.ndarray:
    """``2**(-i/8)``: the softmax weight of a score i eighths under the maximum."""
    return _half_up(2.0 ** (plan.weight_p_frac - np.arange(8) / 8))


@cache
def silu_table(plan: NumberPlan) -> np.ndarray:
    """``g / (1 + e**-g)`` at every stored ``gate`` value, addressed by its two's complement."""
    count = 1 << plan.gate.width
    stored = (np.arange(count) + count // 2) % count - count // 2
    gate = plan.gate.real(stored)
    return plan.silu.quantize(gate / (1 + np.exp(-gate)))


def rope_table(fmt: QFormat, denominator: int) -> np.ndarray:
    """(denominator, 2): cosine and sine of ``2 pi i / denominator``."""
    angle = 2 * np.pi * np.arange(denominator) / denominator
    return fmt.quantize(np.stack([np.cos(angle), np.sin(angle)], axis=1))
