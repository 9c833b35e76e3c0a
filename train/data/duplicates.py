# SPDX-License-Identifier: MIT
"""Documents that a corpus has twice, or nearly.

Exact: the same words in the same order. Near: the set of all five words in a row has an estimated
Jaccard index of 0.8 or more with that of an earlier document. The estimate is the share of equal
minima in 100 bins of one hash; an empty bin borrows from the next one (one-permutation MinHash
with rotation, Shrivastava and Li, 2014). Candidates agree in one of 20 bands of 5 bins: a chance
of 1 - (1 - 0.8**5)**20, over 0.999, at an index of 0.8. Each document costs about 500 bytes.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from glintfpga.train.data.words import HashArray, mixed, runs

__all__ = ["NEAR", "DuplicateFinder"]

NEAR = 0.8
_SHINGLE_WORDS = 5
_BANDS, _ROWS = 20, 5
_BINS = _BANDS * _ROWS
_EDGES = np.array([number * (1 << 64) // _BINS for number in range(_BINS + 1)][:-1], np.uint64)

Signature = npt.NDArray[np.uint32]


class DuplicateFinder:
    """Collects documents one by one, then finds those that repeat an earlier one."""

    def __init__(self) -> None:
        self._signatures: list[Signature] = []
        self._whole: list[int] = []

    def add(self, words: HashArray) -> None:
        """The next document, as word hashes."""
        digest = hashlib.blake2b(words.tobytes(), digest_size=8).digest()
        self._whole.append(int.from_bytes(digest, "little"))
        self._signatures.append(_signature(words))

    def exact(self) -> list[tuple[int, int]]:
        """(document, the earlier one it equals), each document once."""
        first: dict[int, int] = {}
        found = []
        for number, digest in enumerate(self._whole):
            earlier = first.setdefault(digest, number)
            if earlier != number:
                found.append((number, earlier))
        return found

    def near(self) -> list[tuple[int, int]]:
        """(document, an earlier one it resembles but does not equal), each document once."""
        if not self._signatures:
            return []
        signatures = np.stack(self._signatures)
        whole = np.array(self._whole, np.uint64)
        found: dict[int, int] = {}
        for band in range(_BANDS):
            rows = signatures[:, band * _ROWS : (band + 1) * _ROWS].astype(np.uint64)
            for later, earlier in _same_key(_fold(rows)):
                if later in found or whole[later] == whole[earlier]:
                    continue
                if np.mean(signatures[later] == signatures[earlier]) >= NEAR:
                    found[later] = earlier
        return sorted(found.items())


def _signature(words: HashArray) -> Signature:
    """The least hash of each bin, as its lower half; (100,)."""
    shingles = np.unique(runs(words, min(_SHINGLE_WORDS, max(len(words), 1))))
    if not len(shingles):
        return np.zeros(_BINS, np.uint32)
    start = np.searchsorted(shingles, _EDGES)
    filled = np.flatnonzero(np.diff(np.r_[start, len(shingles)]))
    bins = np.arange(_BINS)
    lender = filled[np.searchsorted(filled, bins) % len(filled)]
    # The distance is part of a borrowed value, or documents with the same few words and different
    # gaps would agree everywhere.
    value = shingles[start[lender]] + ((lender - bins) % _BINS).astype(np.uint64)
    return value.astype(np.uint32)


def _fold(rows: HashArray) -> HashArray:
    key = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        key = mixed(key ^ column)
    return key


def _same_key(keys: HashArray) -> list[tuple[int, int]]:
    """Each document of a group of equal keys with the group's first, and with the one before.

    Not all pairs: those of a large group would be too many, and its members resemble the first.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    first = order[np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))]
    before = np.r_[order[:1], order[:-1]]
    grouped = first != order
    pairs = np.concatenate(
        [np.stack([order[grouped], other[grouped]], axis=1) for other in (first, before)]
    )
    return [(int(later), int(earlier)) for later, earlier in pairs.tolist()]
