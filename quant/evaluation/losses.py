# SPDX-License-Identifier: MIT
"""Losses, the sums of ``-ln P``, of many sequences that run side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.scorer import Scorer
from glintfpga.quant.numbers.arrays import FloatArray, IdArray

__all__ = ["Passage", "Progress", "iterate_batches", "losses", "nll", "pieces"]

Progress = Callable[[int, int], None]
"""Called with positions done and positions in all, many times per second."""

_SHORTEST_PIECE = 1024
_GRID = 2.0**32


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Bytes of which those from ``first`` on are scored, given all before them."""

    text: bytes
    first: int = 1

    @property
    def scored(self) -> int:
        """How many bytes are scored."""
        return max(len(self.text) - self.first, 0)


def losses(
    model: Scorer,
    passages: Sequence[Passage],
    *,
    batch: int = 1024,
    progress: Progress | None = None,
) -> FloatArray:
    """Return ``sum(-ln P(byte | all bytes before it in the passage))`` of each passage.

    Every term is rounded to 2**-32, so sums are exact whatever their order, and two sentences of
    equal terms tie: with sums of floats chance decided 8 % of the BLiMP pairs for a unigram.

    Raises ``InputError`` for a byte that is no id of the model.
    """
    result = np.zeros(len(passages))
    for rows, (logits,), targets in iterate_batches(
        [model], passages, batch=batch, progress=progress
    ):
        result[rows] += nll(logits, targets)
    return result


def iterate_batches(
    models: Sequence[Scorer],
    passages: Sequence[Passage],
    *,
    batch: int = 1024,
    progress: Progress | None = None,
) -> Iterator[tuple[IdArray, list[FloatArray], IdArray]]:
    """Run all models over the passages, those of like length side by side.

    Yields, for every position that some passages score: their numbers (n,), the logits
    (n, vocab) of each model there, and the ids (n,) that follow. A passage's positions come in
    their order.
    """
    lengths = np.array([len(passage.text) for passage in passages], np.int64)
    first = np.array([passage.first for passage in passages], np.int64)
    if len(first) and first.min() < 1:
        raise ValueError("the first byte of a passage has nothing before it and cannot be scored")
    order = np.argsort(-lengths, kind="stable")
    groups = [order[start : start + batch] for start in range(0, len(order), batch)]
    steps = [max(int(lengths[group[0]]) - 1, 0) for group in groups]
    total, done = sum(len(g) * s for g, s in zip(groups, steps)), 0
    for group, columns in zip(groups, steps):
        rows = _table([passages[i].text for i in group], columns + 1)
        for model in models:
            model.reset(len(group))
        for column in range(columns):
            logits = [model.step(rows[:, column].astype(np.int64)) for model in models]
            target = column + 1
            counts = (first[group] <= target) & (target < lengths[group])
            if counts.any():
                targets = rows[counts, target].astype(np.int64)
                yield group[counts], [found[counts] for found in logits], targets
            done += len(group)
            if progress:
                progress(done, total)


def pieces(model: Scorer, passage: Passage) -> list[Passage]:
    """Cut a long passage into overlapping ones with the same losses, byte for byte.

    Each starts at a multiple of the model's period and scores only bytes whose whole reach lies
    in it, so it sees what the uncut passage would have shown; many can run side by side.
    """
    length = len(passage.text)
    if model.reach is None:
        return [passage]
    size = _up(max(_SHORTEST_PIECE, 16 * model.reach), model.period)
    result, first = [], passage.first
    while first < length:
        start = max(first - model.reach, 0) // model.period * model.period
        stop = min(first + size, length)
        result.append(Passage(text=passage.text[start:stop], first=first - start))
        first = stop
    return result


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _table(texts: Sequence[bytes], width: int) -> np.ndarray:
    padded = b"".join(text.ljust(width, b"\0") for text in texts)
    return np.frombuffer(padded, np.uint8).reshape(len(texts), width)


def nll(logits: FloatArray, targets: IdArray) -> FloatArray:
    """``-ln softmax(logits)[target]`` of each row, rounded to a multiple of 2**-32.

    Raises ``InputError`` for a target outside the vocabulary.
    """
    if int(targets.max()) >= logits.shape[1]:
        raise InputError(
            f"byte {int(targets.max())} is outside the vocabulary of {logits.shape[1]} ids"
        )
    highest = logits.max(axis=1)
    total = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    chosen: FloatArray = logits[np.arange(len(targets)), targets]
    return np.asarray(np.rint((total - chosen) * _GRID) / _GRID, dtype=np.float64)
