# SPDX-License-Identifier: MIT
"""Words that a corpus shares with evaluation sets.

A document overlaps when it has thirteen words in a row that a passage of an evaluation set has. A
whole sentence of eight to twelve words counts too, as most of BLiMP is no longer; anything shorter
is ordinary language, and so are phrases.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from glintfpga.quant.evaluation.choices import Question
from glintfpga.quant.evaluation.pairs import Pair
from glintfpga.quant.evaluation.sets import EvaluationSet
from glintfpga.train.data.words import HashArray, runs, word_hashes

__all__ = ["LONG", "SHORT", "EvaluationIndex", "passages"]

LONG, SHORT = 13, 8
_FILTER_BITS = 24
_ENDS = (b".", b"?", b"!")


class EvaluationIndex:
    """The word runs of evaluation sets, to look documents up in."""

    def __init__(self, sets: Mapping[str, Iterable[bytes]]) -> None:
        """``sets`` is name -> passages."""
        self.names = tuple(sets)
        found: dict[int, list[tuple[HashArray, int]]] = {n: [] for n in range(SHORT, LONG + 1)}
        for number, texts in enumerate(sets.values()):
            for text in texts:
                words = word_hashes(text)
                if len(words) >= (SHORT if text.endswith(_ENDS) else LONG):
                    length = min(len(words), LONG)
                    found[length].append((runs(words, length), number))
        self._runs = {length: _HashTable(parts) for length, parts in found.items() if parts}

    def overlaps(self, words: HashArray) -> str | None:
        """The name of a set that a document shares words with, or None."""
        for length, table in self._runs.items():
            number = table.find(runs(words, length))
            if number is not None:
                return self.names[number]
        return None


class _HashTable:
    """Sorted hashes behind a bit filter, which rejects almost all that are not in the table."""

    def __init__(self, parts: list[tuple[HashArray, int]]) -> None:
        hashes = np.concatenate([part for part, _ in parts])
        owner = np.repeat([number for _, number in parts], [len(part) for part, _ in parts])
        self._hashes, index = np.unique(hashes, return_index=True)
        self._owner = owner[index]
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        self._filter[self._short(self._hashes)] = True

    def find(self, hashes: HashArray) -> int | None:
        """The owner of a hash that is in the table."""
        likely = hashes[self._filter[self._short(hashes)]]
        places = np.minimum(np.searchsorted(self._hashes, likely), len(self._hashes) - 1)
        hits = places[self._hashes[places] == likely]
        return int(self._owner[hits[0]]) if len(hits) else None

    @staticmethod
    def _short(hashes: HashArray) -> HashArray:
        return hashes >> np.uint64(64 - _FILTER_BITS)


def passages(found: EvaluationSet) -> Iterator[bytes]:
    """The passages of a set: lines of texts and pages, sentences, questions and choices."""
    if isinstance(found.content, bytes):
        # A text may be cut anywhere, also within a character.
        yield from found.content.decode(errors="replace").encode().splitlines()
        return
    for row in found.content:
        if isinstance(row, Pair):
            yield from (row.good, row.bad)
        elif isinstance(row, Question):
            yield from (row.question, *row.choices)
        else:
            yield from row.text.splitlines()
