# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.spec import ModelSpec, preset
from glintfpga.quant.errors import InputError
from glintfpga.train.merge.align import SignedOrder, align, axes_of, distance, transformed

SPECS = [
    ModelSpec(),
    preset("blink-two-loop"),
    ModelSpec(loops=1, prelude=1, coda=1, hidden=4, vocab=40, eos=None, window=4),
    ModelSpec(loops=2, lora_rank=0, lora_targets=(), hidden=5, vocab=40, eos=None),
]


def random_checkpoint(spec, seed):
    rng = np.random.default_rng(seed)
    shapes = spec.tensor_shapes().items()
    return Checkpoint(spec=spec, tensors={name: rng.normal(0, 0.7, s) for name, s in shapes})


def random_symmetry(spec, seed):
    rng = np.random.default_rng(seed)
    shapes = spec.tensor_shapes()
    symmetry = {}
    for name, axes in axes_of(spec).items():
        for axis, size in zip(axes, shapes[name]):
            if axis is None or axis.space in symmetry:
                continue
            sign = rng.choice([-1.0, 1.0], size)
            order = rng.permutation(size)
            if axis.space.endswith("qk"):
                order, sign = np.arange(3), np.array([sign[0], sign[0], sign[1]])
            symmetry[axis.space] = SignedOrder(order, sign)
    return symmetry


def moved(checkpoint, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    spec = checkpoint.spec
    tensors = transformed(spec, checkpoint.tensors, random_symmetry(spec, seed))
    for name, value in tensors.items():
        tensors[name] = value + noise * rng.normal(size=value.shape)
    return Checkpoint(spec=spec, tensors=tensors)


def logits(checkpoint):
    ids = np.random.default_rng(5).integers(0, checkpoint.spec.vocab, (4, 12))
    return FloatModel(checkpoint).sequence(ids)


@pytest.mark.parametrize("spec", SPECS)
def test_every_tensor_has_its_axes(spec):
    assert {name: len(axes) for name, axes in axes_of(spec).items()} == {
        name: len(shape) for name, shape in spec.tensor_shapes().items()
    }


@pytest.mark.quick
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("seed", [1, 2])
def test_symmetries_are_exact(spec, seed):
    checkpoint = random_checkpoint(spec, 3)
    other = moved(checkpoint, seed)
    assert distance(checkpoint.tensors, other.tensors) > 1
    assert logits(other) == pytest.approx(logits(checkpoint), abs=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_a_moved_copy_is_found(spec):
    checkpoint = random_checkpoint(spec, 4)
    found = align(checkpoint, moved(checkpoint, 9))
    assert distance(checkpoint.tensors, found.tensors) < 1e-9


def test_a_moved_copy_with_noise_is_found_and_computes_the_same():
    checkpoint = random_checkpoint(ModelSpec(), 6)
    other = moved(checkpoint, 8, noise=0.02)
    found = align(checkpoint, other)
    expected = 0.02 * np.sqrt(checkpoint.spec.param_count)
    assert distance(checkpoint.tensors, found.tensors) == pytest.approx(expected, rel=0.1)
    assert logits(found) == pytest.approx(logits(other), abs=1e-9)


def test_strangers_come_closer_and_compute_the_same():
    a, b = random_checkpoint(ModelSpec(), 1), random_checkpoint(ModelSpec(), 2)
    found = align(a, b)
    assert distance(a.tensors, found.tensors) < distance(a.tensors, b.tensors)
    assert logits(found) == pytest.approx(logits(b), abs=1e-9)


def test_two_shapes_do_not_align():
    with pytest.raises(InputError, match="do not merge"):
        align(random_checkpoint(ModelSpec(), 1), random_checkpoint(ModelSpec(window=9), 1))
