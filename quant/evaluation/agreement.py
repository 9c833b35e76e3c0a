# SPDX-License-Identifier: MIT
"""How far the chip's numbers are from the float model's, position by position of a text."""

import numpy as np

from glintfpga.quant.evaluation.losses import Progress, iterate_batches, nll
from glintfpga.quant.evaluation.perplexity import (
    WINDOW_PROTOCOL,
    WINDOWS,
    perplexity_row,
    window_passages,
)
from glintfpga.quant.evaluation.rows import Score, ratio_error
from glintfpga.quant.evaluation.scorer import Scorer
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["windows_beside"]

_PROTOCOL = f"{WINDOW_PROTOCOL}; integers against the float model"


def windows_beside(
    fixed: Scorer, exact: Scorer, text: bytes, *, benchmark: str, progress: Progress | None = None
) -> list[Score]:
    """Score a text in windows by the integers ``fixed``, with the float model ``exact`` beside.

    The rows are the byte perplexity of `perplexity.windows`; the share of positions whose
    likeliest id is another, in percent; and the mean over positions of the divergence
    ``KL(P_exact || P_fixed) = sum P_exact (ln P_exact - ln P_fixed)`` over the vocabulary, in
    thousandths of a nat. Standard errors take windows as independent. Raises ``InputError`` when
    there are fewer than two bytes.
    """
    passages, sizes = window_passages(text)
    losses, differ, divergence = np.zeros((3, len(passages)))
    for rows, (stored, real), targets in iterate_batches(
        [fixed, exact], passages, progress=progress
    ):
        losses[rows] += nll(stored, targets)
        differ[rows] += stored.argmax(axis=1) != real.argmax(axis=1)
        divergence[rows] += _kl(_log_softmax(real), _log_softmax(stored))
    names = {"benchmark": benchmark, "form": WINDOWS, "numerics": "fixed"}
    found = [perplexity_row(losses, sizes, protocol=WINDOW_PROTOCOL, **names)]
    for metric, scale, sums in (
        ("arg max differs, %", 100, differ),
        ("KL, 1e-3 nats", 1000, divergence),
    ):
        error = ratio_error(sums, sizes)
        found.append(
            Score(
                metric=metric,
                value=scale * float(sums.sum() / sizes.sum()),
                stderr=None if error is None else scale * error,
                n=int(sizes.sum()),
                protocol=_PROTOCOL,
                **names,
            )
        )
    return found


def _kl(real: FloatArray, stored: FloatArray) -> FloatArray:
    """Of the distributions with these logarithms (n, vocab), (n,)."""
    return np.asarray((np.exp(real) * (real - stored)).sum(axis=1))


def _log_softmax(logits: FloatArray) -> FloatArray:
    below = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=1, keepdims=True)))
