# SPDX-License-Identifier: MIT
"""Scores of parameters: cross entropy over texts in windows of 256 ids, by a training engine."""

import math

import numpy as np
import numpy.typing as npt

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.perplexity import WINDOW_BYTES
from glintfpga.quant.evaluation.rows import Score, ratio_error
from glintfpga.train.engine.choice import Engine
from glintfpga.train.engine.parameters import Vector

__all__ = ["byte_perplexity", "score"]

_ROWS = 256
_SHORT = f"texts need {WINDOW_BYTES} bytes or more"

Ids = npt.NDArray[np.unsignedinteger]


def score(engine: Engine, vector: Vector, texts: list[Ids]) -> float:
    """Mean over ``texts`` of nats per byte, in windows of 256 whose first byte is not scored.

    What is left behind the last whole window of a text is not scored.
    """
    means = []
    for text in texts:
        parts = _windows(text)
        if parts:
            losses = [engine.evaluate(vector, part) for part in parts]
            means.append(np.average(losses, weights=[len(part) for part in parts]))
    found = float(np.mean(means)) if means else math.nan
    if not math.isfinite(found):
        raise InputError(f"the selection texts give no score (nats per byte: {found!r}): {_SHORT}")
    return found


def byte_perplexity(engine: Engine, vector: Vector, text: Ids, *, benchmark: str) -> Score:
    """Byte perplexity in whole windows, first byte not scored. ``InputError`` without a window."""
    parts = [np.asarray(engine.losses(vector, part), np.float64) for part in _windows(text)]
    if not parts:
        raise InputError(f"{benchmark!r} of {len(text)} bytes has nothing to score: {_SHORT}")
    losses = np.concatenate(parts)
    value = math.exp(float(losses.mean()))
    error = ratio_error(losses.sum(axis=1), np.full(len(losses), losses.shape[1], np.float64))
    return Score(
        benchmark=benchmark,
        form=f"{WINDOW_BYTES}-byte windows",
        numerics="float",
        metric="byte perplexity",
        value=value,
        stderr=None if error is None else value * error,
        n=losses.size,
        protocol=f"whole {WINDOW_BYTES}-byte windows, first byte of a window not scored",
    )


def _windows(text: Ids) -> list[npt.NDArray[np.uint16]]:
    count = len(text) // WINDOW_BYTES
    table = np.asarray(text[: count * WINDOW_BYTES], np.uint16).reshape(count, WINDOW_BYTES)
    return [table[start : start + _ROWS] for start in range(0, count, _ROWS)]
