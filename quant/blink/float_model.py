# SPDX-License-Identifier: MIT
"""The model in float64 NumPy, one token at a time for many sequences at once.

It computes the folded form; up to rounding errors of float64 that is the checkpoint's network.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.fold import FoldedPass, fold
from glintfpga.quant.blink.spec import DIM
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["EPSILON", "FloatModel", "Observer", "rms_norm"]

EPSILON = 1e-5
"""Added to the mean square before the root."""

Observer = Callable[[str, int, FloatArray], None]
"""Called with tensor name, pass (-1 for logits) and values, for calibration."""


class FloatModel:
    """Incremental float model with one KV ring of ``window`` positions per pass.

    Parameters
    ----------
    checkpoint : the weights.
    observer : sees h, q, k, v, score, x, gate, up, z of each pass and the base-2 logits.
    """

    def __init__(self, checkpoint: Checkpoint, *, observer: Observer | None = None) -> None:
        self.spec = checkpoint.spec
        self.folded = fold(checkpoint)
        self._observe: Observer = observer or (lambda name, index, values: None)
        self.reset(1)

    def reset(self, batch: int = 1) -> None:
        """Empty the context of ``batch`` sequences."""
        shape = (self.spec.passes, batch, self.spec.window, DIM)
        self._keys, self._values = np.zeros(shape), np.zeros(shape)
        self._x = np.zeros((batch, DIM))
        self.position = 0

    def enter(self, ids: npt.ArrayLike) -> None:
        """Run one token of each sequence, (batch,), through all passes.

        Raises ``InputError`` for an id outside the vocabulary.
        """
        tokens = np.asarray(ids, dtype=np.int64)
        if tokens.shape != (len(self._x),):
            raise ValueError(f"ids must have shape ({len(self._x)},), not {tokens.shape}")
        outside = tokens[(tokens < 0) | (tokens >= self.spec.vocab)]
        if outside.size:
            raise InputError(
                f"token id {int(outside[0])} is outside the vocabulary: use 0 to "
                f"{self.spec.vocab - 1}"
            )
        self._run(self.folded.embed_in[tokens])

    def logits(self) -> FloatArray:
        """Return base-e logits (batch, vocab) of the next token, after thinking.

        Thinking steps take positions: a second call is not the same as the first.
        """
        for _ in range(self.spec.thinking):
            self._run(self._x)
        base_2 = rms_norm(self._x) @ self.folded.embed_out.T
        self._observe("logit", -1, base_2)
        return base_2 * math.log(2)

    def step(self, ids: npt.ArrayLike) -> FloatArray:
        """Enter one token of each sequence and return the logits of the next."""
        self.enter(ids)
        return self.logits()

    def sequence(self, ids: npt.ArrayLike) -> FloatArray:
        """Return logits (batch, length, vocab) behind each token of whole sequences.

        ``ids`` is (batch, length); the context is emptied first.
        """
        tokens = np.asarray(ids, dtype=np.int64)
        self.reset(len(tokens))
        return np.stack([self.step(column) for column in tokens.T], axis=1)

    def _run(self, x: FloatArray) -> None:
        for index, weights in enumerate(self.folded.passes):
            x = self._attend(index, weights, x)
            x = self._feed_forward(index, weights, x)
        self._x = x
        self.position += 1

    def _attend(self, index: int, weights: FoldedPass, x: FloatArray) -> FloatArray:
        h = rms_norm(x + weights.loop_embedding)
        angle = self.position * self.folded.rope_radians_per_token
        q = rotate(h @ weights.wq.T, angle)
        k = rotate(h @ weights.wk.T, angle)
        v = h @ weights.wv.T
        slot = self.position % self.spec.window
        self._keys[index, :, slot] = k
        self._values[index, :, slot] = v
        filled = min(self.position + 1, self.spec.window)
        keys, values = self._keys[index, :, :filled], self._values[index, :, :filled]
        score = np.einsum("bwd,bd->bw", keys, q)
        p = np.exp2(score - score.max(axis=1, keepdims=True))
        x = x + np.einsum("bwd,bw->bd", values, p) / p.sum(axis=1, keepdims=True)
        for name, seen in (("q", q), ("k", k), ("v", v), ("score", score), ("x", x)):
            self._observe(name, index, seen)
        return x

    def _feed_forward(self, index: int, weights: FoldedPass, x: FloatArray) -> FloatArray:
        h = rms_norm(x)
        gate, up = h @ weights.gate.T, h @ weights.up.T
        z = gate * (1 + np.tanh(gate / 2)) / 2 * up
        x = x + z @ weights.down.T
        for name, seen in (("gate", gate), ("up", up), ("z", z), ("x", x)):
            self._observe(name, index, seen)
        return x


def rms_norm(x: FloatArray) -> FloatArray:
    """Return ``x / sqrt(mean(x**2) + 1e-5)`` over the last axis."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON)


def rotate(vectors: FloatArray, angle: float) -> FloatArray:
    """Turn dimensions 0 and 1 of (batch, 3) by ``angle``; dimension 2 stays."""
    cos, sin = math.cos(angle), math.sin(angle)
    a, b, c = vectors.T
    return np.stack([a * cos - b * sin, a * sin + b * cos, c], axis=1)
