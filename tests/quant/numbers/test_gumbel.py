# SPDX-License-Identifier: MIT
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from glintfpga.quant.numbers.gumbel import GUMBEL, address, noise, tail_gumbel

WORDS = np.arange(65536)


def test_address_of_every_word():
    expected = []
    for word in range(65536):
        pairs = max(0, -(-(word.bit_length() - 8) // 2))
        expected.append(192 * pairs + (word >> 2 * pairs))
    assert address(WORDS).tolist() == expected
    assert sorted(set(expected)) == list(range(1024))


def test_entries_are_means_in_their_format():
    gumbel = tail_gumbel(WORDS)
    for entry in (0, 1, 255, 256, 300, 640, 1000, 1023):
        mean = gumbel[address(WORDS) == entry].mean()
        assert floor(mean * 1024 + 0.5) == GUMBEL[entry]
    assert GUMBEL[0] == 17 * 1024
    assert (np.diff(GUMBEL) < 0).all()


def test_no_entry_is_near_a_rounding_edge():
    # Otherwise another libm could round it the other way, and two machines would disagree.
    entry = address(WORDS)
    scaled = 1024 * np.bincount(entry, weights=tail_gumbel(WORDS)) / np.bincount(entry) + 0.5
    assert np.abs(scaled - np.round(scaled)).min() > 1e-6


@pytest.mark.quick
@pytest.mark.parametrize("temperature", [0, 1, 128, 205, 256, 384, 1023])
def test_noise_rounds_half_up(temperature):
    expected = [
        floor(Fraction(temperature * int(entry), 1024) + Fraction(1, 2)) for entry in GUMBEL
    ]
    got = noise(temperature, WORDS)
    assert got.tolist() == [expected[entry] for entry in address(WORDS)]
    assert np.abs(got).max() < 1 << 15


def uniform_wins(count, temperature):
    """Exact chance of each of ``count`` equal tokens, with ties to the lowest id."""
    values, words = np.unique(noise(temperature, WORDS), return_counts=True)
    at_most = np.cumsum(words) / 65536
    less = at_most - words / 65536
    assert values.size == words.size
    ids = np.arange(count)[:, None]
    return (words / 65536 * less**ids * at_most ** (count - 1 - ids)).sum(axis=1)


@pytest.mark.parametrize(("count", "figure"), [(2, 0.98), (64, 0.61), (257, 0.69)])
def test_bias_of_equal_tokens_is_what_the_module_says(count, figure):
    wins = uniform_wins(count, 256)
    assert abs(wins.sum() - 1) < 1e-9
    noncentrality = 100_000 * ((wins - 1 / count) ** 2 * count).sum()
    assert round(noncentrality, 2) == figure
