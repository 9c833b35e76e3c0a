# SPDX-License-Identifier: MIT
import math

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.train.merge.align import SignedOrder, transformed
from glintfpga.train.merge.slerp import between, slerp


def test_the_way_is_an_arc():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert slerp(a, b, 0.5) == pytest.approx([math.sqrt(0.5), math.sqrt(0.5)])
    assert slerp(a, b, 0.25) == pytest.approx([math.cos(math.pi / 8), math.sin(math.pi / 8)])
    assert slerp(a, b, 0.0) == pytest.approx(a)
    assert slerp(a, b, 1.0) == pytest.approx(b)


@pytest.mark.quick
@pytest.mark.parametrize("b", [[1.0, 0.001], [-1.0, 0.001], [0.0, 0.0]])
def test_it_is_straight_where_the_arc_is_not_defined(b):
    a = np.array([1.0, 0.0])
    assert slerp(a, np.array(b), 0.25) == pytest.approx(0.75 * a + 0.25 * np.array(b))


def test_small_angles_do_not_jump():
    angles = (0.00999, 0.01001)
    ends = [slerp(np.array([1.0, 0]), np.array([math.cos(w), math.sin(w)]), 0.5) for w in angles]
    assert np.linalg.norm(ends[0] - ends[1]) < 2e-5


def test_a_model_and_its_mirror_image_have_it_in_the_middle():
    spec = ModelSpec(vocab=20, eos=None)
    rng = np.random.default_rng(2)
    shapes = spec.tensor_shapes().items()
    a = Checkpoint(spec=spec, tensors={name: rng.normal(size=shape) for name, shape in shapes})
    turn = SignedOrder(np.array([2, 0, 1]), np.array([1.0, -1.0, -1.0]))
    b = Checkpoint(spec=spec, tensors=transformed(spec, a.tensors, {"residual": turn}))
    middle = between(a, b, 0.5, note="half")
    ids = rng.integers(0, 20, (2, 10))
    assert FloatModel(middle).sequence(ids) == pytest.approx(FloatModel(a).sequence(ids), abs=1e-9)
    assert middle.note == "half"


@pytest.mark.parametrize("other", [(1, -1), (0, 0), None])
def test_powers_of_two_stay_where_both_agree(other):
    spec = ModelSpec(loops=2, vocab=20, eos=None)
    tensors = {name: np.ones(shape) for name, shape in spec.tensor_shapes().items()}
    a, b = (
        Checkpoint(spec=spec, tensors=tensors, qk_log2_shift=qk_log2_shift)
        for qk_log2_shift in ((1, -1), other)
    )
    assert between(a, b, 0.5).qk_log2_shift == ((1, -1) if other == (1, -1) else None)
