# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.train.engine.parameters import checkpoint_of, flatten, initial, views

SPEC = ModelSpec(loops=2, vocab=9, eos=None)


@pytest.mark.quick
def test_views_share_memory_and_flatten_undoes_them():
    flat = np.arange(SPEC.param_count, dtype=np.float32)
    tensors = views(SPEC, flat)
    assert {name: value.shape for name, value in tensors.items()} == SPEC.tensor_shapes()
    np.testing.assert_array_equal(flatten(SPEC, tensors), flat)
    tensors["norm.final"][:] = -1.0
    assert (flat == -1.0).sum() == 3


def test_wrong_size():
    with pytest.raises(ValueError, match=r"flat must have shape \(181,\), not \(5,\)"):
        views(SPEC, np.zeros(5, np.float32))


def test_fresh_loops_are_equal_and_pass_signals_on():
    tensors = views(SPEC, initial(SPEC, np.random.default_rng(0)))
    for name, value in tensors.items():
        if "norm" in name or name == "logit_scale":
            assert (value == 1).all()
        elif name.endswith(".b") or name == "loop_embedding":
            assert not value.any()
        else:
            assert value.std() > 0.1
    down = views(ModelSpec(hidden=16), initial(ModelSpec(hidden=16), np.random.default_rng(0)))
    assert down["ffn.down"].std() == pytest.approx(0.25, rel=0.3)
    assert down["embedding"].std() == pytest.approx(0.5, rel=0.1)


def test_given_embedding():
    embedding = np.arange(27.0).reshape(9, 3)
    tensors = views(SPEC, initial(SPEC, np.random.default_rng(0), embedding))
    np.testing.assert_array_equal(tensors["embedding"], embedding)


def test_checkpoint():
    flat = initial(SPEC, np.random.default_rng(0))
    checkpoint = checkpoint_of(SPEC, flat, note="a note")
    assert checkpoint.note == "a note"
    np.testing.assert_array_equal(flatten(SPEC, checkpoint.tensors), flat)
    flat[3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        checkpoint_of(SPEC, flat)
