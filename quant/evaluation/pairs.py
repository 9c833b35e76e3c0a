# SPDX-License-Identifier: MIT
"""BLiMP: pairs of sentences of which one is grammatical.

A pair counts when ``sum ln P`` of the good sentence is above that of the bad one; a tie counts as
wrong. There is no context, so the first byte of a sentence is not scored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.losses import Passage, Progress, losses
from glintfpga.quant.evaluation.rows import Score, proportion_error
from glintfpga.quant.evaluation.scorer import Scorer
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["Pair", "score_pairs"]

_PROTOCOL = "summed log-probability, first byte not scored, ties wrong"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A minimal pair."""

    good: bytes
    bad: bytes
    paradigm: str


def score_pairs(
    model: Scorer,
    pairs: Sequence[Pair],
    *,
    benchmark: str,
    numerics: str,
    progress: Progress | None = None,
) -> list[Score]:
    """The mean of the accuracies of the paradigms, and the accuracy over all pairs, in percent.

    The whole set has 1,000 pairs of each paradigm, so there the two are one; of a part of it only
    the mean of paradigms is to be compared with scores of the whole.

    Standard errors take pairs as independent, which templated sentences are not quite:
    ``sqrt(p (1 - p) / (n - 1))`` for the pairs, ``sqrt(sum of squared errors) / paradigms`` for
    the mean of paradigms. Raises ``InputError`` when there are no pairs.
    """
    if not pairs:
        raise InputError("there is no pair to score: give one or more")
    passages = [Passage(text=text) for pair in pairs for text in (pair.good, pair.bad)]
    good, bad = losses(model, passages, progress=progress).reshape(-1, 2).T
    right = (good < bad).astype(np.float64)
    names, paradigm = np.unique([pair.paradigm for pair in pairs], return_inverse=True)
    counts = np.bincount(paradigm)
    shares = np.bincount(paradigm, weights=right) / counts
    mean = float(right.mean())
    figures = (
        ("paradigm accuracy, %", float(shares.mean()), _error(shares, counts), len(names)),
        ("pair accuracy, %", mean, proportion_error(mean, len(pairs)), len(pairs)),
    )
    return [
        Score(
            benchmark=benchmark,
            form="sum",
            numerics=numerics,
            metric=metric,
            value=100 * value,
            stderr=None if error is None else 100 * error,
            n=n,
            protocol=_PROTOCOL,
        )
        for metric, value, error, n in figures
    ]


def _error(shares: FloatArray, counts: np.ndarray) -> float | None:
    """Of the mean of the shares; None where one of them is of a single pair."""
    errors = [proportion_error(float(share), int(n)) for share, n in zip(shares, counts)]
    known = [error for error in errors if error is not None]
    return math.hypot(*known) / len(errors) if len(known) == len(errors) else None
