# SPDX-License-Identifier: MIT
"""Byte perplexity, ``exp(sum(-ln P) / bytes)``, in three forms.

- *256-byte windows*: the text is cut into consecutive windows; the first byte of each is context
  only, and history does not cross windows. This is how the leaderboard of small models scores.
- *continuous*: one sequence, a newline before it as context; every byte is scored.
- *per page byte*: each detokenized page is a sequence of its own, a newline before it; the sum
  over all pages is divided by the bytes of the raw pages, as lm-evaluation-harness does.

Standard errors take windows, pieces of the continuous text, or pages as independent
(`rows.ratio_error`), times the perplexity.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.losses import Passage, Progress, losses, pieces
from glintfpga.quant.evaluation.rows import Score, ratio_error
from glintfpga.quant.evaluation.scorer import Scorer
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = [
    "WINDOWS",
    "WINDOW_BYTES",
    "WINDOW_PROTOCOL",
    "Page",
    "continuous",
    "per_page_byte",
    "perplexity_row",
    "window_passages",
    "windows",
]

WINDOW_BYTES = 256
WINDOWS = f"{WINDOW_BYTES}-byte windows"
WINDOW_PROTOCOL = f"{WINDOWS}, first byte of a window not scored"
_CONTEXT = b"\n"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of lm-evaluation-harness."""

    text: bytes
    """Detokenized: what is scored."""
    raw_bytes: int
    """Length of the page before that: what the sum is divided by."""


def windows(
    model: Scorer,
    text: bytes,
    *,
    benchmark: str,
    numerics: str,
    progress: Progress | None = None,
) -> Score:
    """Score a text in windows. Raises ``InputError`` when it has fewer than two bytes."""
    passages, sizes = window_passages(text)
    return perplexity_row(
        losses(model, passages, progress=progress),
        sizes,
        benchmark=benchmark,
        form=WINDOWS,
        numerics=numerics,
        protocol=WINDOW_PROTOCOL,
    )


def window_passages(text: bytes) -> tuple[list[Passage], FloatArray]:
    """The windows of a text, and how many bytes of each are scored.

    Raises ``InputError`` when the text has fewer than two bytes.
    """
    cuts = range(0, len(text), WINDOW_BYTES)
    passages = [Passage(text=text[start : start + WINDOW_BYTES]) for start in cuts]
    sizes = np.array([passage.scored for passage in passages], np.float64)
    if not sizes.sum():
        raise InputError(f"a text of {len(text)} bytes has nothing to score: give 2 or more")
    return passages, sizes


def continuous(
    model: Scorer,
    text: bytes,
    *,
    benchmark: str,
    numerics: str,
    progress: Progress | None = None,
) -> Score:
    """Score a text as one sequence. Raises ``InputError`` when it is empty."""
    if not text:
        raise InputError("a text of 0 bytes has nothing to score: give 2 or more")
    passages = pieces(model, Passage(text=_CONTEXT + text))
    return perplexity_row(
        losses(model, passages, progress=progress),
        np.array([passage.scored for passage in passages], np.float64),
        benchmark=benchmark,
        form="continuous",
        numerics=numerics,
        protocol="one sequence after a newline, every byte scored",
    )


def per_page_byte(
    model: Scorer,
    pages: Sequence[Page],
    *,
    benchmark: str,
    numerics: str,
    progress: Progress | None = None,
) -> Score:
    """Score detokenized pages. Raises ``InputError`` when there are none."""
    sizes = np.array([page.raw_bytes for page in pages], np.float64)
    if not sizes.sum():
        raise InputError(f"{len(pages)} pages have nothing to score: give more")
    cut = [pieces(model, Passage(text=_CONTEXT + page.text)) for page in pages]
    flat = losses(model, [piece for page in cut for piece in page], progress=progress)
    owner = np.repeat(np.arange(len(cut)), [len(page) for page in cut])
    return perplexity_row(
        np.bincount(owner, weights=flat, minlength=len(cut)).astype(np.float64),
        sizes,
        benchmark=benchmark,
        form="per page byte",
        numerics=numerics,
        protocol="detokenised pages, each after a newline, divided by the bytes of the raw pages",
    )


def perplexity_row(sums: FloatArray, sizes: FloatArray, **names: str) -> Score:
    """The row of parts with these sums of ``-ln P`` and bytes; ``names`` are its other fields."""
    value = math.exp(float(sums.sum() / sizes.sum()))
    error = ratio_error(sums, sizes)
    return Score(
        metric="byte perplexity",
        value=value,
        stderr=None if error is None else value * error,
        n=int(sizes.sum()),
        **names,
    )
