# SPDX-License-Identifier: MIT
"""The rows of an evaluation, with their standard errors."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["Score", "proportion_error", "ratio_error"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of an evaluation."""

    benchmark: str
    form: str
    numerics: str
    """``float`` or ``fixed``."""
    metric: str
    """``byte perplexity``, an accuracy in percent, or a measure of fixed against float."""
    value: float
    stderr: float | None
    """One standard error, in the unit of ``value``; None for a single part, which has no spread."""
    n: int
    """Bytes that divide the sum of a perplexity; pairs, paradigms or questions of an accuracy."""
    protocol: str
    """What is scored given what."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, one key per field."""
        return asdict(self)

    def error_text(self, digits: int) -> str:
        """The standard error with this many decimals, or a dash."""
        return "-" if self.stderr is None else f"{self.stderr:.{digits}f}"


def ratio_error(sums: FloatArray, sizes: FloatArray) -> float | None:
    """Standard error of ``m = sum(sums) / sum(sizes)`` over n parts taken as independent.

    ``sqrt(n / (n - 1) * sum((sums - m * sizes)**2)) / sum(sizes)``, the ratio estimator of
    sampling theory, over the parts that have a size; None for one, which has no spread.
    """
    n, total = int(np.count_nonzero(sizes)), float(sizes.sum())
    if n < 2:
        return None
    spread = np.square(sums - sums.sum() / total * sizes).sum()
    return math.sqrt(float(spread) * n / (n - 1)) / total


def proportion_error(share: float, n: int) -> float | None:
    """``sqrt(p (1 - p) / (n - 1))``: standard error of a share of n independent trials.

    None for one trial.
    """
    return math.sqrt(share * (1 - share) / (n - 1)) if n > 1 else None
