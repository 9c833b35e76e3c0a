# SPDX-License-Identifier: MIT
from pathlib import Path

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.plan import PLAN12
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.train.engine.kernel import ChipNumbers, Kernel
from glintfpga.train.engine.parameters import checkpoint_of, initial, views
from glintfpga.train.optimizer.scales import fitted

SHIPPED = Path(__file__).parents[3] / "train" / "release" / "blink-base" / "model.safetensors"
WIDE = ModelSpec(prelude=1, coda=1, loops=2, lora_rank=2, lora_targets=LORA_TARGETS, window=4)
FITS = {"q": 99.0, "k": 99.0, "v": 12.0, "x": 20.0, "up": 3.0, "z": 6.0}


def random(spec, size=1.0):
    """Parameters that make every tensor count, with an x of about ``size``."""
    rng = np.random.default_rng(4)
    vector = initial(spec, rng) + rng.normal(0, 0.3, spec.param_count).astype(np.float32)
    views(spec, vector)["embedding"][:] *= size
    return vector


def text(rng):
    return rng.integers(0, 256, (16, 41)).astype(np.uint16)


@pytest.mark.parametrize("spec", [ModelSpec(), WIDE])
@pytest.mark.parametrize("ranges", [{"x": 100.0}, {"v": 15.0}, {"up": 7.1}, {"z": 8.0, "x": 30.0}])
def test_the_function_stays(spec, ranges):
    kernel, ids = Kernel(spec), text(np.random.default_rng(2))
    vector = random(spec, 8.0)
    other = fitted(spec, vector, FITS | ranges)
    assert not np.array_equal(other, vector)
    # But for the epsilon of the norms, where x happens to be small.
    change = np.abs(kernel.losses(other, ids) - kernel.losses(vector, ids))
    assert change.mean() < 2e-3 and change.max() < 0.1


@pytest.mark.quick
def test_values_shrink_by_what_their_formats_need():
    kernel, ids = Kernel(WIDE), text(np.random.default_rng(3))
    vector = random(WIDE, 40.0)
    before = kernel.ranges(vector, ids)
    after = kernel.ranges(fitted(WIDE, vector, before), ids)
    assert before["x"] > 20
    assert all(after[name] <= FITS[name] * 1.001 for name in ("x", "v", "up", "z"))
    assert after["q"] == pytest.approx(before["q"], rel=1e-3)
    factor = before["x"] / after["x"]
    assert np.log2(factor) == pytest.approx(round(np.log2(factor)), abs=1e-3)


def test_what_fits_stays_bit_by_bit():
    vector = random(WIDE)
    assert np.array_equal(fitted(WIDE, vector, FITS), vector)
    once = fitted(WIDE, vector, FITS | {"x": 50.0, "up": 5.0})
    assert not np.array_equal(once, vector)
    assert np.array_equal(fitted(WIDE, once, FITS | {"x": 20.0, "up": 2.5}), once)


def test_too_large_a_model_quantizes_far_better_with_its_scales_chosen():
    """The shipped one, with an x and an up four times as large: the same function in float."""
    found = read_checkpoint(SHIPPED)
    grown = {name: value.copy() for name, value in found.tensors.items()}
    for name, value in grown.items():
        if name in ("embedding", "loop_embedding", "attention.o") or name.endswith(".o.b"):
            value *= 4
    grown["logit_scale"] /= 4
    grown["ffn.up"] *= 4  # and the way down by 4 / 4
    ids = np.frombuffer(b"It was the best of times, it was the worst of times, " * 16, np.uint8)
    ids = ids[:800].reshape(16, 50).astype(np.uint16)
    vector = np.concatenate([np.ravel(grown[name]) for name in found.spec.tensor_shapes()])
    vector = vector.astype(np.float32)
    good = fitted(found.spec, vector, Kernel(found.spec).ranges(vector, ids))
    float_loss = Kernel(found.spec).evaluate(vector, ids)

    def fixed_loss(params):
        numbers = ChipNumbers.of(checkpoint_of(found.spec, params), PLAN12)
        return Kernel(found.spec, numbers=numbers).evaluate(params, ids)

    assert fixed_loss(vector) > float_loss + 0.1
    assert fixed_loss(good) < float_loss + 0.05
