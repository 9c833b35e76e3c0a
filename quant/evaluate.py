# SPDX-License-Identifier: MIT
"""Byte perplexity of float and fixed-point models.

The text is cut into consecutive windows of 256 bytes. The first byte of each is context only,
history does not cross windows, and the perplexity is ``exp(mean -ln P)`` over all other bytes.
"""

from __future__ import annotations

import lzma
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from glintfpga.quant.checkpoint import FloatArray
from glintfpga.quant.errors import InputError
from glintfpga.quant.model import QuantizedModel
from glintfpga.quant.reference import ReferenceModel

__all__ = ["WINDOW_BYTES", "FixedScorer", "Score", "Scorer", "byte_perplexity", "read_text"]

WINDOW_BYTES = 256
_PROTOCOL = f"{WINDOW_BYTES}-byte windows, first byte of a window not scored"
_MAX_TEXT_BYTES = 1 << 28

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, many times a second."""


class Scorer(Protocol):
    """What is scored: ``FloatModel``, or ``FixedScorer`` around the integer reference."""

    def reset(self, batch: int) -> None:
        """Empty the context of ``batch`` sequences."""

    def step(self, ids: npt.NDArray[np.int64]) -> FloatArray:
        """Enter ids (batch,), return base-e logits (batch, vocab)."""
        ...


class FixedScorer:
    """The bit-exact reference of a device with ``lanes`` lanes, with base-e logits."""

    def __init__(self, model: QuantizedModel, *, lanes: int) -> None:
        self._model = ReferenceModel(model, lanes=lanes)
        self._unit = model.plan.logit.ulp * math.log(2)

    def reset(self, batch: int) -> None:
        self._model.reset(batch)

    def step(self, ids: npt.NDArray[np.int64]) -> FloatArray:
        return np.asarray(self._model.step(ids) * self._unit, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of an evaluation."""

    benchmark: str
    form: str
    numerics: str
    metric: str
    value: float
    stderr: float
    """One standard error, windows taken as independent."""
    n: int
    """Scored bytes."""
    protocol: str = _PROTOCOL

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, one key a field."""
        return asdict(self)


def byte_perplexity(
    model: Scorer,
    text: bytes,
    *,
    benchmark: str,
    numerics: str,
    form: str = "raw",
    progress: Progress | None = None,
    batch: int = 512,
) -> Score:
    """Score a text; ``batch`` windows run side by side.

    Raises ``InputError`` when the text has no byte to score (fewer than two) or a byte that is
    no id of the model.
    """
    losses, counts = _window_losses(model, text, progress, batch)
    total = int(counts.sum())
    if total == 0:
        raise InputError(f"a text of {len(text)} bytes has nothing to score: give 2 or more")
    mean = float(losses.sum()) / total
    value = math.exp(mean)
    windows = len(losses)
    spread = float(np.square(losses - mean * counts).sum())
    error = math.sqrt(spread * windows / max(windows - 1, 1)) / total
    return Score(
        benchmark=benchmark,
        form=form,
        numerics=numerics,
        metric="byte perplexity",
        value=value,
        stderr=value * error,
        n=total,
    )


def read_text(path: str | Path) -> bytes:
    """Read ``.txt`` or ``.txt.xz``. Raises ``InputError`` when it cannot be read."""
    path = Path(path)
    if not path.name.endswith((".txt", ".txt.xz")):
        raise InputError(f"{os.fspath(path)!r} is no text: give a .txt or .txt.xz file")
    opener = lzma.open if path.suffix == ".xz" else open
    try:
        with opener(path, "rb") as file:
            text = bytes(file.read(_MAX_TEXT_BYTES + 1))
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {os.fspath(path)!r}: {reason}") from error
    if len(text) > _MAX_TEXT_BYTES:
        raise InputError(f"{os.fspath(path)!r} has more than {_MAX_TEXT_BYTES} bytes: cut it")
    return text


def _window_losses(
    model: Scorer, text: bytes, progress: Progress | None, batch: int
) -> tuple[FloatArray, FloatArray]:
    """Return the summed ``-ln P`` and the number of scored bytes of each window."""
    ids = np.frombuffer(text, np.uint8).astype(np.int64)
    windows = -(-len(ids) // WINDOW_BYTES)
    padded = np.zeros(windows * WINDOW_BYTES, np.int64)
    padded[: len(ids)] = ids
    table = padded.reshape(windows, WINDOW_BYTES)
    lengths = np.minimum(len(ids) - WINDOW_BYTES * np.arange(windows), WINDOW_BYTES)
    losses = np.zeros(windows)
    for first in range(0, windows, batch):
        part = slice(first, first + batch)
        rows, size = table[part], lengths[part]
        model.reset(len(rows))
        for column in range(min(WINDOW_BYTES, int(size.max())) - 1):
            logits = model.step(rows[:, column])
            loss = _surprise(logits, rows[:, column + 1])
            losses[part] += np.where(column + 1 < size, loss, 0.0)
            if progress:
                progress(first * WINDOW_BYTES + (column + 2) * len(rows), len(padded))
    return losses, (lengths - 1).astype(np.float64)


def _surprise(logits: FloatArray, targets: npt.NDArray[np.int64]) -> FloatArray:
    """``-ln softmax(logits)[target]`` of each row."""
    if int(targets.max()) >= logits.shape[1]:
        raise InputError(
            f"byte {int(targets.max())} is outside the vocabulary of {logits.shape[1]} ids"
        )
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    chosen: FloatArray = logits[np.arange(len(targets)), targets]
    return np.asarray(total - chosen, dtype=np.float64)
