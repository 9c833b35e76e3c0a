# SPDX-License-Identifier: MIT
"""Spherical interpolation between two models, one tensor at a time (Shoemake, 1985)."""

import math

import numpy as np

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.numbers.arrays import FloatArray
from glintfpga.train.merge.align import align

__all__ = ["SMALL_RADIANS", "between", "slerp"]

SMALL_RADIANS = 1e-2
"""Below this angle, arc and chord differ by less than 1e-5 of the length."""


def slerp(a: FloatArray, b: FloatArray, t: float) -> FloatArray:
    """``sin((1 - t) w) / sin w * a + sin(t w) / sin w * b``, w the angle between ``a`` and ``b``.

    Where the two point almost the same way, almost opposite ways, or one is zero, it is
    ``(1 - t) a + t b``.
    """
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    cosine = float(np.vdot(a, b)) / lengths if lengths else 1.0
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    if min(angle, math.pi - angle) < SMALL_RADIANS:
        return (1 - t) * a + t * b
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


def between(a: Checkpoint, b: Checkpoint, t: float, *, note: str = "") -> Checkpoint:
    """The model at ``t`` on the way from ``a`` (0) to ``b`` (1), aligned to ``a`` first.

    Raises ``InputError`` when the shapes differ.
    """
    other = align(a, b)
    tensors = {name: slerp(value, other.tensors[name], t) for name, value in a.tensors.items()}
    return Checkpoint(
        spec=a.spec,
        tensors=tensors,
        note=note,
        rope_radians_per_token=a.rope_radians_per_token,
        qk_log2_shift=a.qk_log2_shift if a.qk_log2_shift == b.qk_log2_shift else None,
    )
