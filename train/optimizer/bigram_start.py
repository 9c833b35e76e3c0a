# SPDX-License-Identifier: MIT
"""A first embedding: the best factor of three dimensions of the table of id pairs."""

import numpy as np
import numpy.typing as npt

from glintfpga.quant.blink.spec import DIM
from glintfpga.train.engine.parameters import Vector
from glintfpga.train.optimizer.adam import Adam

__all__ = ["bigram_embedding"]

_STEPS = 400
_RATE = 0.05
_SPREAD = 0.5


def bigram_embedding(counts: npt.NDArray[np.float64], rng: np.random.Generator) -> Vector:
    """Return E (vocab, 3) of the table ``softmax(G @ E.T)`` with the least cross entropy.

    ``counts`` (vocab, vocab) has how often an id follows another; G is free. E is centered and
    has a standard deviation of 1/2, as a random start has. ``rng`` gives the starting point, hence
    one of many factors that are equally good.
    """
    vocab = len(counts)
    joint = counts / counts.sum()
    first = joint.sum(axis=1, keepdims=True)
    pair = rng.normal(0, _SPREAD, 2 * vocab * DIM).astype(np.float32)
    adam = Adam(count=pair.size)
    for step in range(_STEPS):
        g, e = pair.reshape(2, vocab, DIM)
        logits = g @ e.T
        power = np.exp(logits - logits.max(axis=1, keepdims=True))
        excess = first * power / power.sum(axis=1, keepdims=True) - joint
        gradient = np.concatenate([excess @ e, excess.T @ g]).ravel()
        # Adam's epsilon is for gradients of a natural size; those of rare ids are tiny.
        adam.step(pair, (vocab * gradient).astype(np.float32), _RATE * (1 - step / _STEPS))
    embedding = pair.reshape(2, vocab, DIM)[1]
    embedding = embedding - embedding.mean(axis=0)
    return np.asarray(embedding * (_SPREAD / embedding.std()), np.float32)
