# SPDX-License-Identifier: MIT
"""The training text as streams of ids in memory-mapped files, and windows drawn from them.

A stream is uint16, little-endian: bytes 0..255, and 256 behind each document and each exchange of
a dialogue. There are two: ``raw``, and ``spaced``, the same documents in the spacing of WikiText
(`spacing`) but for dialogues, which have a form of their own (`quant.chat_template`). Every 100th
document is held out into streams of its own, so that a training can be judged without any
evaluation set. Streams are made once for the files of a manifest and kept in a cache folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.arrays import IdArray

__all__ = ["EOS", "Corpus", "Mixture"]

EOS = 256
IdStream = npt.NDArray[np.uint16]
_Parts = tuple[IdArray, IdArray, npt.NDArray[np.float64]]
"""Starts, stops and shares of parts of a stream; the shares sum up to 1."""
Mixture = Mapping[str, float]
"""How many of the spaced windows come from each file, relative to one another; empty: as many as
the file is long."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Streams of one corpus, all read-only and mapped from files."""

    raw: IdStream
    spaced: IdStream
    raw_heldout: IdStream
    spaced_heldout: IdStream
    spans: Mapping[str, tuple[int, int]]
    """Where each file begins and ends in ``spaced``."""
    documents: int
    """Documents in ``raw``."""
    digest: str
    """sha256 over the sources and the settings that made the streams."""

    def windows(
        self,
        rng: np.random.Generator,
        batch: int,
        length: int,
        *,
        wikitext_fraction: float = 0.5,
        mixture: Mixture = MappingProxyType({}),
    ) -> IdStream:
        """Draw ``batch`` windows (batch, length + 1), uint16, anywhere in the streams.

        ``wikitext_fraction`` of them (on average; exactly, where that is a whole number) come first
        and from ``spaced``, mixed as ``mixture`` says, the others from ``raw``. Raises
        ``InputError`` when a stream that is needed is shorter than a window.
        """
        first = min(batch, int(batch * wikitext_fraction + rng.random()))
        rows = np.empty((batch, length + 1), np.uint16)
        _fill(rows[:first], self.spaced, self._parts(mixture), rng)
        _fill(rows[first:], self.raw, _whole(self.raw), rng)
        return rows

    def pair_counts(
        self, *, wikitext_fraction: float = 0.5, mixture: Mixture = MappingProxyType({})
    ) -> npt.NDArray[np.float64]:
        """How often id b follows id a, (257, 257): both streams, weighted as ``windows`` does."""
        total = (1 - wikitext_fraction) * _pairs(self.raw)
        for start, stop, share in zip(*self._parts(mixture)):
            # A part of the stream counts as if it were as long as its share of all.
            weight = share * len(self.spaced) / max(stop - start, 1)
            total += wikitext_fraction * weight * _pairs(self.spaced[start:stop])
        return total

    def _parts(self, mixture: Mixture) -> _Parts:
        """Starts, stops and shares of what ``mixture`` takes from ``spaced``."""
        if not mixture:
            return _whole(self.spaced)
        unknown = sorted(set(mixture) - set(self.spans))
        if unknown:
            raise InputError(
                f"the mixture names {unknown[0]!r:.80}, which has no text in the corpus: use "
                f"{', '.join(sorted(self.spans))}"
            )
        shares = np.array(list(mixture.values()), np.float64)
        starts, stops = np.array([self.spans[name] for name in mixture], np.int64).T
        return starts, stops, shares / shares.sum()


def _whole(stream: IdStream) -> _Parts:
    return np.array([0]), np.array([len(stream)]), np.ones(1)


def _fill(rows: IdStream, stream: IdStream, parts: _Parts, rng: np.random.Generator) -> None:
    """Windows anywhere in parts of a stream, each row from one that is drawn by the shares."""
    if not len(rows):
        return
    starts, stops, shares = parts
    if len(shares) > 1:
        chosen = rng.choice(len(shares), len(rows), p=shares)
        starts, stops = starts[chosen], stops[chosen]
    length = rows.shape[1]
    least = int((stops - starts).min())
    if least < length:
        raise InputError(f"the corpus has {least} ids, too few for a window of {length}: add text")
    drawn = rng.integers(starts, stops - length + 1, len(rows))
    rows[:] = stream[drawn[:, None] + np.arange(length)]


def _pairs(stream: IdStream) -> npt.NDArray[np.float64]:
    total = np.zeros((EOS + 1) ** 2)
    for start in range(0, len(stream) - 1, 1 << 22):
        part = stream[start : start + (1 << 22) + 1].astype(np.int64)
        total += np.bincount(part[:-1] * (EOS + 1) + part[1:], minlength=len(total))
    return total.reshape(EOS + 1, EOS + 1)
