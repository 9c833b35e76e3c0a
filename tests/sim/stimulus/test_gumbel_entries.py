# SPDX-License-Identifier: MIT
"""The questions get the answers they expect, and every entry of both tables decides one."""

import numpy as np
import pytest

from glintfpga.quant.blink.plan import PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.numbers.gumbel import GUMBEL, address, noise
from glintfpga.quant.numbers.sampler import Sampler
from glintfpga.quant.numbers.trivium import Trivium, seed_key
from glintfpga.sim.stimulus.gumbel_entries import noise_model, questions, words_of_seeds

LOG2 = 10


@pytest.mark.quick
def test_words_of_many_seeds_at_once():
    words = words_of_seeds(LOG2, 3)
    assert words.shape == (3, 1 << LOG2)
    for seed in (0, 1, 2, 517, (1 << LOG2) - 1):
        assert words[:, seed].tolist() == Trivium(seed_key(seed)).words16(3)


@pytest.fixture(scope="module")
def asked():
    model = noise_model(np.random.default_rng(1), PLAN12)
    logits = ReferenceModel(model, lanes=4, batch=model.vocab).step(np.arange(model.vocab))
    return logits, list(questions(model))


def test_answers(asked):
    logits, all_questions = asked
    sampler = Sampler()
    for one in all_questions[::40]:
        sampler.reseed(one.seed)
        assert sampler.sample(logits[one.token], one.temperature) == one.answer


def test_each_bit_of_each_entry_decides(asked):
    logits, all_questions = asked
    decided = np.zeros((2, 1024), np.int64)
    for one in all_questions:
        drawn = Trivium(seed_key(one.seed)).words16(3)
        words = (drawn[0], drawn[2])
        margin = int(logits[one.token, 0] - logits[one.token, 2])
        margin += int(noise(one.temperature, words[0])) - int(noise(one.temperature, words[1]))
        assert margin == (0 if one.answer == 0 else -1)
        for side, word in enumerate(words):
            entry = int(address(word))
            own = int(GUMBEL[entry])
            for bit in range(16):
                other = (own & 0xFFFF ^ 1 << bit ^ 0x8000) - 0x8000
                change = (one.temperature * other + 512 >> 10) - int(noise(one.temperature, word))
                moved = margin + (change if side == 0 else -change)
                decided[side, entry] |= ((0 if moved >= 0 else 2) != one.answer) << bit
    assert (decided != 0).all()
    bits = decided[:, :, None] >> np.arange(16) & 1
    assert bits.mean() > 0.99
