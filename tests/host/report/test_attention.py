# SPDX-License-Identifier: MIT
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.host.report.attention import (
    MAX_PROMPT,
    attention_picture,
    attention_weights,
    prompt_ids,
)
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLANS
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from support.models import seeded_model


def new_model(window, plan=12, seed=3):
    spec = ModelSpec(loops=2, hidden=2, window=window, vocab=257)
    return seeded_model(spec, PLANS[plan], seed=seed, edges=0.0)


@pytest.mark.parametrize("window, lanes, plan", [(3, 2, 12), (5, 4, 12), (8, 4, 9), (16, 8, 12)])
def test_rows_are_distributions_over_the_window(window, lanes, plan):
    model = new_model(window, plan)
    ids = list(b"a picture of what it sees")
    weights = attention_weights(model, ids, lanes=lanes)
    assert weights.shape == (2, len(ids), len(ids))
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-12)
    i, j = np.indices(weights.shape[1:])
    assert not weights[:, (j > i) | (i - j >= window)].any()
    assert (weights[:, 0, 0] == 1).all()


@pytest.mark.quick
@pytest.mark.parametrize("window, lanes", [(3, 2), (5, 4), (8, 4), (16, 8)])
def test_weights_are_those_of_the_chip(window, lanes, monkeypatch):
    """They weigh the value rows as the reference does, but for its rounding of rescaled sums."""
    model, ids = new_model(window), list(b"a picture of what it sees")
    states = []
    output = blocks.attention_output
    monkeypatch.setattr(
        blocks, "attention_output", lambda plan, state: states.append(state) or output(plan, state)
    )
    weights = attention_weights(model, ids, lanes=lanes)
    reference = ReferenceModel(model, lanes=lanes)
    for position, token in enumerate(ids):
        reference.enter(token)
        first = max(0, position + 1 - window)
        slots = [j % window for j in range(first, position + 1)]
        for index in range(2):
            state = states[2 * position + index]
            values = reference._values[index][0, slots]
            exact = weights[index, position, first : position + 1] @ values
            # Half a unit of length and of values per group, where a weight of 1/2 has 2**7 units.
            bound = -(-window // lanes) * (np.abs(values).max() + 1) / 2 / 2**7
            assert np.abs(exact - state.values[0] / state.denominator[0]).max() <= bound


def test_picture_draws_the_weights():
    model = new_model(5)
    ids = list(b"To be, or")
    weights = attention_weights(model, ids, lanes=4)
    picture = attention_picture(weights, ids, window=5, lanes=4)
    assert picture.count("<svg ") == 2 and "4 lanes" in picture
    rows = re.findall(r'<g class="row">(.*?)</g>', picture)
    assert len(rows) == 2 * len(ids)
    for index, row in enumerate(rows):
        drawn = [float(x) for x in re.findall(r'fill-opacity="([^"]*)"', row)]
        position = index % len(ids)
        assert len(drawn) == min(position + 1, 5)
        assert sum(drawn) == pytest.approx(1, abs=2e-3)
        text = "".join(re.findall(r'class="byte[^"]*">(.)<', row))
        assert text == "To␣be,␣or"[max(0, position - 4) : position + 1]


@given(st.text(max_size=40))
def test_prompts(text):
    data = text.encode("utf-8", "replace")
    if 1 <= len(data) <= MAX_PROMPT and text.isprintable():
        assert bytes(prompt_ids(text, 257)) == data
    elif len(data) > MAX_PROMPT or not data:
        with pytest.raises(InputError, match="the prompt must have 1 to 32 bytes"):
            prompt_ids(text, 257)


def test_prompt_outside_the_vocabulary():
    with pytest.raises(InputError, match="byte 195 of the prompt is outside the vocabulary of 128"):
        prompt_ids("é", 128)
