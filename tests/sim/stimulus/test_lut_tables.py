# SPDX-License-Identifier: MIT
"""The models reach the entries they are for, fit the chip, and keep x small."""

import random

import numpy as np
import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink import blocks, reference
from glintfpga.quant.blink.plan import PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.sim.stimulus.lut_tables import denominator_model, gate_model
from glintfpga.sim.stimulus.shapes import any_model


def steps(model, count):
    device = ReferenceModel(model, lanes=4)
    tokens = np.random.default_rng(1).integers(model.vocab, size=count)
    largest = []
    for token in tokens.tolist():
        device.step(token)
        largest.append(int(np.abs(device.x).max()))
    return largest


def test_gates(monkeypatch):
    used = [set() for _ in range(4)]

    def swiglu(plan, gate, up):
        for lane in range(4):
            used[lane] |= set(gate[0, lane::4].tolist())
        return plain(plan, gate, up)

    plain = blocks.swiglu
    monkeypatch.setattr(reference.blocks, "swiglu", swiglu)
    largest = steps(gate_model(np.random.default_rng(4), PLAN12), 60)
    assert min(map(len, used)) > 950, "of 1024, in a fifteenth of the conversation"
    assert np.median(largest) < 20_000


def test_lengths(monkeypatch):
    used = set()

    def output(plan, state):
        left = 17 - int(blocks.bit_length(state.denominator)[0])
        used.add(int(state.denominator[0]) << left >> 6 & 1023)
        return plain(plan, state)

    plain = blocks.attention_output
    monkeypatch.setattr(reference.blocks, "attention_output", output)
    largest = steps(denominator_model(np.random.default_rng(4), PLAN12), 200)
    assert len(used) > 700, "of 1024, in a ninth of the conversation"
    assert max(largest) < 8_000


@pytest.mark.parametrize("seed", range(20))
def test_any_model_is_an_image(seed):
    numbers = random.Random(seed)
    models = [any_model(numbers, PLAN12) for _ in range(3)]
    for model in models:
        assert Image.with_golden(model, (0, 0, 0)).data
    assert len({model.spec for model in models}) > 1


@pytest.mark.quick
def test_the_same_numbers_make_the_same_models():
    one, other = (any_model(random.Random(3), PLAN12) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("make", [gate_model, denominator_model])
def test_they_fit(make):
    assert Image.with_golden(make(np.random.default_rng(4), PLAN12), (0, 0, 0)).data
