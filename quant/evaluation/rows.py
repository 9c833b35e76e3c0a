# SPDX-License-Identifier: MIT
"""The rows of an evaluation, with their standard errors."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glintfpga.quant.checkpoint import FloatArray

__all__ = ["Score", "proportion_error", "ratio_error"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of an evaluation."""

    benchmark: str
    form: str
    numerics: str
    """``float`` or ``fixed``."""
    metric: str
    """``byte perplexity``, or an accuracy in percent."""
    value: float
    stderr: float
    """One standard error, in the unit of ``value``."""
    n: int
    """Bytes that divide the sum of a perplexity; pairs, paradigms or questions of an accuracy."""
    protocol: str
    """What is scored given what."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, one key a field."""
        return asdict(self)


def ratio_error(sums: FloatArray, sizes: FloatArray) -> float:
    """Standard error of ``m = sum(sums) / sum(sizes)`` over n parts taken as independent.

    ``sqrt(n / (n - 1) * sum((sums - m * sizes)**2)) / sum(sizes)``, the ratio estimator of
    sampling theory; 0 for one part, which says nothing about spread.
    """
    n, total = len(sums), float(sizes.sum())
    spread = np.square(sums - sums.sum() / total * sizes).sum()
    return math.sqrt(float(spread) * n / max(n - 1, 1)) / total


def proportion_error(share: FloatArray | float, n: FloatArray | int) -> FloatArray:
    """``sqrt(p (1 - p) / (n - 1))``: standard error of a share of n independent trials."""
    trials = np.maximum(np.asarray(n, np.float64) - 1, 1)
    return np.sqrt(np.asarray(share) * (1 - np.asarray(share)) / trials)
