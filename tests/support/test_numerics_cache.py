# SPDX-License-Identifier: MIT
import random
from typing import Any

import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.quant.errors import InputError
from support.numerics_cache import NumericsCache
from support.shipping.rebuild_sim import default_image

CONFIG = DeviceConfig()


def test_equals_the_reference():
    """Two devices in turns, one going back: what one has computed serves the other."""
    data = default_image().data
    cache, rng = NumericsCache(), random.Random(1)
    right = [reference_model(data, CONFIG).numerics for _ in range(2)]
    models = [cache.load(data, CONFIG).numerics for _ in range(2)]
    for _ in range(60):
        which = rng.randrange(2)
        if rng.random() < 0.2:
            right[which].clear()
            models[which].clear()
        token = rng.randrange(3)
        right[which].enter(token)
        models[which].enter(token)
        assert (models[which].logits() == right[which].logits()).all()


def test_computes_once(monkeypatch):
    data = default_image().data
    cache = NumericsCache()
    first, second = (cache.load(data, CONFIG).numerics for _ in range(2))
    first.enter(1)
    logits = first.logits()
    inside: Any = second
    monkeypatch.setattr(inside._known.model.numerics, "logits", None)
    second.enter(1)
    assert second.logits() is logits


@pytest.mark.quick
def test_thinking_is_refused(monkeypatch):
    data = default_image().data
    monkeypatch.setattr("support.numerics_cache.reference_model", lambda *a, **b: None)
    with pytest.raises(InputError, match="cannot be remembered"):
        NumericsCache().load(data[:14] + b"\1" + data[15:], CONFIG)
