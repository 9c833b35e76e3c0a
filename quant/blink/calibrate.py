# SPDX-License-Identifier: MIT
"""Ranges of the values inside a float model, over a text.

Without a text the model writes its own: one sequence for every id of the vocabulary, sampled at
temperature 1 from a fixed seed. That needs no data, is the same on every machine and visits
each id both at the start of a context and in the middle of one.
"""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.numbers.arrays import FloatArray, IdArray

__all__ = ["Ranges", "calibrate", "sampled_text"]

_OCTAVES = 64
_SAMPLED_LENGTH = 48
_FRESH_EVERY = 16


class Ranges:
    """Largest magnitude and a histogram of octaves for each tensor and pass.

    Names are q, k (before and after RoPE), v, score, x, gate, up, z with the pass index, and logit
    with pass -1. All values are those of the folded model: scores and logits are base 2.
    """

    def __init__(self) -> None:
        self._largest: dict[tuple[str, int], float] = defaultdict(float)
        self._octaves: dict[tuple[str, int], IdArray] = {}

    def observe(self, name: str, index: int, values: FloatArray) -> None:
        """Add values of one tensor; fits ``FloatModel``'s observer."""
        key = (name, index)
        magnitude = np.abs(values).ravel()
        self._largest[key] = max(self._largest[key], float(magnitude.max()))
        octave = np.clip(np.frexp(magnitude)[1] + _OCTAVES // 2, 0, _OCTAVES - 1)
        octave[magnitude == 0.0] = 0
        counts = np.bincount(octave, minlength=_OCTAVES)
        self._octaves[key] = self._octaves.get(key, np.int64(0)) + counts

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Iterate over (name, pass) of all tensors seen, sorted."""
        return iter(sorted(self._largest))

    def largest(self, name: str, index: int) -> float:
        """Largest magnitude seen; 0.0 for a tensor never seen."""
        return self._largest.get((name, index), 0.0)

    def count(self, name: str, index: int) -> int:
        """How many values were seen."""
        return int(self._octaves[name, index].sum()) if (name, index) in self._octaves else 0

    def count_beyond(self, name: str, index: int, exponent: int) -> int:
        """How many values had a magnitude of ``2**exponent`` or more."""
        if (name, index) not in self._octaves:
            return 0
        first = min(max(exponent + 1 + _OCTAVES // 2, 0), _OCTAVES)
        return int(self._octaves[name, index][first:].sum())


def calibrate(checkpoint: Checkpoint, ids: IdArray | None = None) -> Ranges:
    """Run the float model over sequences (batch, length) and return the ranges.

    Without ``ids`` over ``sampled_text(checkpoint)``.
    """
    ranges = Ranges()
    tokens = sampled_text(checkpoint) if ids is None else ids
    model = FloatModel(checkpoint, observer=ranges.observe)
    model.reset(len(tokens))
    for column in tokens.T:
        model.step(column)
    return ranges


def sampled_text(checkpoint: Checkpoint) -> IdArray:
    """Return sequences (vocab, 48) that the model samples, sequence i starting with id i.

    Every 16th token is another id of the vocabulary instead of a sampled one.
    """
    vocab = checkpoint.spec.vocab
    rng = np.random.Generator(np.random.PCG64(0))
    model = FloatModel(checkpoint)
    model.reset(vocab)
    columns = [np.arange(vocab)]
    for position in range(1, _SAMPLED_LENGTH):
        logits = model.step(columns[-1])
        noise = rng.gumbel(size=logits.shape)
        if position % _FRESH_EVERY:
            columns.append(np.argmax(logits + noise, axis=1))
        else:
            columns.append(rng.permutation(vocab))
    return np.stack(columns, axis=1)
