# SPDX-License-Identifier: MIT
from functools import cache

import numpy as np
import pytest
from scipy import stats

from glintfpga.quant.numbers.gumbel import noise
from glintfpga.quant.numbers.sampler import WORDS_ALIGN, Sampler
from glintfpga.quant.numbers.trivium import Trivium, seed_key

DRAWS = 100_000
TEMPERATURES = {0.5: 128, 0.8: 205, 1.0: 256, 1.5: 384}


def bell(spread):
    return np.round(np.random.default_rng(spread).normal(0, spread / 5.6, 257) * 256)


# name: (seed, logits with 8 fractional bits). Seeds are fixed, and shared where words are costly.
LOGITS = {
    "range 20": (1001, bell(20)),
    "range 60": (1001, bell(60)),
    "64 equal": (1002, np.zeros(64)),
    "two": (1003, np.array([-256.0, 0.0])),
    "two equal": (1004, np.zeros(2)),
}


@cache
def drawn_words(seed, vocab):
    """(DRAWS, vocab) the words that DRAWS calls of ``sample`` would see."""
    padded = -(-vocab // WORDS_ALIGN) * WORDS_ALIGN
    octets = Trivium(seed_key(seed)).octets(2 * padded * DRAWS)
    return np.frombuffer(octets, dtype=">u2").reshape(DRAWS, padded)[:, :vocab]


def draws(seed, logits, temperature):
    by_word = noise(temperature, np.arange(65536)).astype(np.int32)
    tokens = []
    for words in np.array_split(drawn_words(seed, len(logits)), 20):
        tokens.append((logits.astype(np.int32) + by_word[words]).argmax(axis=1))
    return np.concatenate(tokens)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("name", LOGITS)
def test_distribution(name, temperature):
    seed, logits = LOGITS[name]
    tokens = draws(seed, logits, TEMPERATURES[temperature])
    chance = np.exp2((logits - logits.max()) / 256 / (TEMPERATURES[temperature] / 256))
    expected = DRAWS * chance / chance.sum()
    observed = np.bincount(tokens, minlength=len(logits))
    order = np.argsort(-expected)
    expected, observed = expected[order], observed[order]
    common = (expected >= 5).sum()
    starts = np.arange(common + (expected[common:].sum() >= 5))
    bins, counts = (np.add.reduceat(values, starts) for values in (expected, observed))
    assert stats.chisquare(counts, bins).pvalue > 0.001


def test_sample_equals_the_vectorized_draws():
    for seed, logits in LOGITS.values():
        sampler = Sampler(seed)
        expected = draws(seed, logits, 205)[:50]
        assert [sampler.sample(logits.astype(int), 205) for _ in range(50)] == expected.tolist()


@pytest.mark.quick
def test_lowest_id_of_equals():
    assert Sampler().sample(np.array([1, 7, 3, 7]), 0) == 1


def test_temperature_zero_draws_nothing():
    logits = np.zeros(257, dtype=np.int64)
    straight, mixed = Sampler(5), Sampler(5)
    expected = [straight.sample(logits, 256) for _ in range(4)]
    got = []
    for _ in range(4):
        assert mixed.sample(logits, 0) == 0
        got.append(mixed.sample(logits, 256))
    assert got == expected


@pytest.mark.parametrize(("vocab", "bits"), [(2, 256), (16, 256), (17, 512), (257, 4352)])
def test_consumption(vocab, bits):
    sampler, stream = Sampler(8), Trivium(seed_key(8))
    sampler.sample(np.zeros(vocab, dtype=np.int64), 256)
    stream.bits(bits)
    words = np.array(stream.words16(vocab))
    expected = int(noise(256, words).argmax())
    assert sampler.sample(np.zeros(vocab, dtype=np.int64), 256) == expected


def test_reseed_starts_over():
    sampler = Sampler(1 << 63)
    logits = np.zeros(257, dtype=np.int64)
    first = [sampler.sample(logits, 1023) for _ in range(5)]
    sampler.reseed(1 << 63)
    assert [sampler.sample(logits, 1023) for _ in range(5)] == first


@pytest.mark.parametrize("temperature", [-1, 1024])
def test_refuses_a_temperature_outside_u10(temperature):
    with pytest.raises(ValueError, match=r"temperature must be in 0\.\.1023"):
        Sampler().sample(np.zeros(2, dtype=np.int64), temperature)
