# SPDX-License-Identifier: MIT
"""BLiMP: pairs of sentences of which one is grammatical.

A pair counts when ``sum ln P`` of the good sentence is above that of the bad one; a tie counts as
wrong. There is no context, so the first byte of a sentence is not scored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.losses import Passage, Progress, losses
from glintfpga.quant.evaluation.rows import Score, proportion_error
from glintfpga.quant.evaluation.scorers import Scorer

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
    """Accuracy over all pairs, and the mean of the accuracies of the paradigms, in percent.

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
    counts = np.bincount(paradigm).astype(np.float64)
    shares = np.bincount(paradigm, weights=right) / counts
    errors = proportion_error(shares, counts)
    mean = float(right.mean())
    figures = (
        ("pair accuracy, %", mean, float(proportion_error(mean, len(pairs))), len(pairs)),
        (
            "paradigm accuracy, %",
            float(shares.mean()),
            math.sqrt(float(np.square(errors).sum())) / len(names),
            len(names),
        ),
    )
    return [
        Score(
            benchmark=benchmark,
            form="sum",
            numerics=numerics,
            metric=metric,
            value=100 * value,
            stderr=100 * error,
            n=n,
            protocol=_PROTOCOL,
        )
        for metric, value, error, n in figures
    ]
