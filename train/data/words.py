# SPDX-License-Identifier: MIT
"""Texts as arrays of word hashes, by which the gate compares them.

A word is a run of letters, digits and underscores, in lower case, NFC. Marks and spacing do not
count, so plain and WikiText-spaced forms of a text are equal.
"""

import re
import unicodedata
import zlib

import numpy as np
import numpy.typing as npt

__all__ = ["HashArray", "runs", "word_hashes"]

HashArray = npt.NDArray[np.uint64]

_WORD = re.compile(r"\w+")
_STEP = np.uint64(0x9E3779B97F4A7C15)


def word_hashes(text: bytes) -> HashArray:
    """One 64-bit hash per word of UTF-8 text."""
    words = _WORD.findall(unicodedata.normalize("NFC", text.decode()).lower())
    codes = (zlib.crc32(word.encode()) for word in words)
    return mixed(np.fromiter(codes, np.uint64, len(words)))


def runs(words: HashArray, length: int) -> HashArray:
    """A hash of each ``length`` words in a row; empty when there are fewer."""
    count = max(len(words) - length + 1, 0)
    total = np.zeros(count, np.uint64)
    for offset in range(length if count else 0):
        total = total * _STEP + words[offset : offset + count]
    return mixed(total)


def mixed(values: HashArray) -> HashArray:
    """The finalizer of SplitMix64, a bijection in which every bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
