# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.numerics import FloatNumerics, ReferenceNumerics
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.train.engine.parameters import checkpoint_of, initial
from glintfpga.train.release.samples import QUESTIONS, side_by_side, written

SPEC = ModelSpec(loops=2, window=4)


@pytest.fixture(scope="module")
def models():
    checkpoint = checkpoint_of(SPEC, initial(SPEC, np.random.default_rng(6)))
    image = Image.from_model(quantize(checkpoint)[0])
    return FloatNumerics(checkpoint), ReferenceNumerics(image, lanes=4)


def test_samples_repeat_and_have_the_first_three_seeds(models):
    samples = side_by_side(*models, spec=SPEC, count=40)
    assert samples == side_by_side(*models, spec=SPEC, count=40)
    assert {item["question"] for item in samples} == {""}
    assert [item["seed"] for item in samples] == [1, 2, 3]
    assert len({item["fixed"] for item in samples}) == 3
    assert all(item["temperature"] == 0.8 and item["bytes"] == 40 for item in samples)


class _Counts:
    """A model that is sure to count up from what it entered last."""

    def __init__(self, start=0):
        self.start = start

    def clear(self):
        self.last = self.start

    def enter(self, token):
        self.last = self.last + 1 if token == 256 else token

    def logits(self):
        logits = np.full(257, -(1 << 20))
        logits[min(256, self.last + 1)] = 1 << 20
        return logits


def test_a_model_for_chat_answers_questions(models):
    plain, fixed = models
    samples = side_by_side(*models, spec=replace(SPEC, chat=True), count=40)
    assert tuple(item["question"] for item in samples) == QUESTIONS
    for seed, item in enumerate(samples, 1):
        prompt = f"{item['question']}\n".encode()
        for name, model in (("float", plain), ("fixed", fixed)):
            text = written(model, seed, 40, 205, 256, prompt).decode("utf-8", "replace")
            assert item[name] == text != written(model, seed, 40, 205, 256).decode(errors="replace")


def test_an_answer_follows_its_prompt():
    assert written(_Counts(), 1, 3, 205, 256, b"ab") == b"cde"


@pytest.mark.quick
def test_the_end_of_text_ends_a_sample():
    assert written(_Counts(), 1, 10, 205, None) == bytes(range(1, 11))
    assert written(_Counts(), 1, 10, 205, 0) == bytes(range(1, 11))
    assert written(_Counts(start=200), 1, 300, 205, 256) == bytes(range(202, 256))
