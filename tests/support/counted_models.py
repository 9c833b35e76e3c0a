# SPDX-License-Identifier: MIT
"""Counted tables as models, to check the measures and to say what a score is worth.

Order 1 adds one to each count. Order 2 is Witten-Bell:
``P(b | h) = (c(h, b) + T(h) P1(b)) / (c(h) + T(h))`` with T the number of different bytes seen
after h. The published figures of a corpus of 59,790,270 bytes are in the tests.
"""

import numpy as np

from glintfpga.quant.numbers.arrays import FloatArray
from support.table_scorer import TableScorer

__all__ = ["bigram", "unigram"]


def unigram(pair_counts: FloatArray) -> TableScorer:
    """Order 1 from counts (256, 256) of byte b (column) after byte a (row)."""
    return TableScorer(np.log(np.broadcast_to(_order_1(pair_counts), (256, 256))))


def bigram(pair_counts: FloatArray) -> TableScorer:
    """Order 2 from the same counts; a byte never seen before another falls back to order 1."""
    seen = (pair_counts > 0).sum(axis=1, keepdims=True)
    total = pair_counts.sum(axis=1, keepdims=True)
    smoothed = pair_counts + np.maximum(seen, 1) * _order_1(pair_counts)
    return TableScorer(np.log(smoothed / (total + np.maximum(seen, 1))))


def _order_1(pair_counts: FloatArray) -> FloatArray:
    counts = pair_counts.sum(axis=0) + 1
    return np.asarray(counts / counts.sum())
