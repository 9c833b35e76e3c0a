# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.train.data.duplicates import DuplicateFinder
from glintfpga.train.data.words import runs, word_hashes


def finder(*documents):
    result = DuplicateFinder()
    for words in documents:
        result.add(words)
    return result


def random_words(seed, count):
    return np.random.default_rng(seed).integers(0, 1 << 63, count, np.uint64)


def test_words_are_what_matters():
    one, two = word_hashes(b"Don't PANIC , 1,000!"), word_hashes(b"don 't panic 1 @,@ 000")
    assert one.tolist() == two.tolist()
    assert word_hashes("\u00e9".encode()).tolist() == word_hashes("E\u0301".encode()).tolist()
    assert len(set(word_hashes(b"a b c a").tolist())) == 3
    assert len(word_hashes(b" ... ")) == 0


def test_runs():
    words = word_hashes(b"a b c a b c")
    found = runs(words, 3)
    assert len(found) == 4
    assert found[0] == found[3] != found[1]
    assert len(runs(words, 6)) == 1
    assert len(runs(words, 7)) == 0
    assert runs(words[:2], 2)[0] != runs(words[1::-1], 2)[0]


def test_exact_and_first_of_three():
    words = [random_words(seed, 50) for seed in range(3)]
    found = finder(words[0], words[1], words[0], words[2], words[0])
    assert found.exact() == [(2, 0), (4, 0)]
    assert found.near() == []


@pytest.mark.quick
@pytest.mark.parametrize("length", [30, 300, 3000])
def test_near(length):
    """One word in a hundred changed, or one word of thirty: an index of about 0.9 or 0.7."""
    words = random_words(1, length)
    changed = words.copy()
    changed[::100] = 7
    found = finder(random_words(2, length), words, random_words(3, length), changed)
    assert found.near() == [(3, 1)]


def test_half_shared_is_not_near():
    pairs = []
    for seed in range(50):
        words = random_words(seed, 1000)
        pairs += [words, np.r_[words[:500], random_words(seed + 100, 500)]]
    assert finder(*pairs).near() == []


def test_estimate_is_unbiased():
    """Documents of a known index of 0.6 agree in about 60 of 100 bins."""
    found = finder()
    shares = []
    for seed in range(40):
        common, rest = random_words(seed, 604), random_words(seed + 500, 402)
        for half in (rest[:201], rest[201:]):
            found.add(np.r_[common, half])
        one, two = found._signatures[-2:]
        shares.append(np.mean(one == two))
    assert np.mean(shares) == pytest.approx(0.6, abs=0.03)


def test_documents_without_words():
    found = finder(*[np.zeros(0, np.uint64)] * 3, random_words(1, 2), random_words(1, 3))
    assert found.exact() == [(1, 0), (2, 0)]
    assert found.near() == []
    assert DuplicateFinder().near() == []
