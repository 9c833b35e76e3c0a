# SPDX-License-Identifier: MIT
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.spec import ModelSpec
from support.models import seeded_model

SPEC = ModelSpec(loops=2, hidden=5, vocab=33, window=3, eos=None, thinking=1)


def build(seed=1):
    return seeded_model(SPEC, seed=seed)


def other(value):
    if isinstance(value, np.ndarray):
        changed = value.copy()
        changed.flat[-1] += 1
        return changed
    if isinstance(value, int):
        return value + 1
    return {ModelSpec: replace(SPEC, window=4), type(PLAN12): PLAN9, type(None): 7}[type(value)]


def test_sizes_follow_the_arrays():
    model = build()
    assert (model.vocab, model.window) == (33, 3)
    assert [weights.hidden for weights in model.passes] == [5, 5]


def test_equal_by_value():
    assert build() == build()
    assert build() != build(2)
    assert build() != "a model"


@pytest.mark.parametrize("name", [field.name for field in fields(QuantizedModel)])
def test_every_field_counts(name):
    model = build()
    value = getattr(model, name)
    changed = value[:1] if name == "passes" else other(value)
    assert replace(model, **{name: changed}) != model


@pytest.mark.quick
@pytest.mark.parametrize("name", [field.name for field in fields(PassWeights)])
def test_every_weight_counts(name):
    model = build()
    first, second = model.passes
    changed = replace(second, **{name: other(getattr(second, name))})
    assert replace(model, passes=(first, changed)) != model
    assert replace(model, passes=(first, replace(second))) == model


def test_frozen_and_not_hashable():
    model = build()
    with pytest.raises(FrozenInstanceError):
        model.eos = 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(model)
