# SPDX-License-Identifier: MIT
import math

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.fold import fold
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.errors import InputError

SPECS = {
    "blink": ModelSpec(vocab=17, eos=None, window=4),
    "two loops": ModelSpec(
        loops=2, lora_rank=2, lora_targets=LORA_TARGETS, vocab=9, eos=0, window=3, hidden=5
    ),
    "prelude and coda": ModelSpec(loops=2, prelude=1, coda=2, vocab=9, eos=None, window=30),
    "no LoRA": ModelSpec(loops=2, lora_rank=0, lora_targets=(), vocab=5, eos=None, window=1),
    "thinking": ModelSpec(loops=1, thinking=2, vocab=6, eos=None, window=5),
}


def checkpoint_of(spec, seed=1):
    rng = np.random.default_rng(seed)
    tensors = {name: rng.normal(size=shape) for name, shape in spec.tensor_shapes().items()}
    return Checkpoint(spec=spec, tensors=tensors)


def plain_logits(checkpoint, ids):
    """Design section 2 as it is written: unfolded, one vector at a time, whole histories."""
    spec, t = checkpoint.spec, checkpoint.tensors
    blocks = [(f"prelude.{i}.", None) for i in range(spec.prelude)]
    blocks += [("", loop) for loop in range(spec.loops)]
    blocks += [(f"coda.{i}.", None) for i in range(spec.coda)]
    history = [[] for _ in blocks]

    def norm(x, gain):
        return [a / math.sqrt(sum(b * b for b in x) / 3 + 1e-5) * g for a, g in zip(x, gain)]

    def turn(x, position):
        c, s = math.cos(position), math.sin(position)
        return np.array([x[0] * c - x[1] * s, x[0] * s + x[1] * c, x[2]])

    def run(x):
        for (prefix, loop), seen in zip(blocks, history):

            def project(kind, name, vector, prefix=prefix, loop=loop):
                out = t[f"{prefix}{kind}.{name}"] @ vector
                if loop is not None and name in spec.lora_targets:
                    lora = f"lora.{loop}.{name}"
                    out = out + t[f"{lora}.b"] @ (t[f"{lora}.a"] @ vector)
                return out

            shifted = x if loop is None else x + t["loop_embedding"][loop]
            h = norm(shifted, t[f"{prefix}norm.attention"])
            position = len(seen)
            q = turn(project("attention", "q", h), position)
            seen.append(
                (turn(project("attention", "k", h), position), project("attention", "v", h))
            )
            visible = seen[-spec.window :]
            weights = np.exp([q @ k / math.sqrt(3) for k, _ in visible])
            mixed = sum(w * v for w, (_, v) in zip(weights, visible)) / weights.sum()
            x = x + project("attention", "o", mixed)
            h = norm(x, t[f"{prefix}norm.ffn"])
            gate = project("ffn", "gate", h)
            z = gate / (1 + np.exp(-gate)) * project("ffn", "up", h)
            x = x + project("ffn", "down", z)
        return x

    result = []
    for token in ids:
        x = run(t["embedding"][token])
        for _ in range(spec.thinking):
            x = run(x)
        result.append(t["logit_scale"][0] * t["embedding"] @ norm(x, t["norm.final"]))
    return np.array(result)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_equals_the_plain_network(spec):
    checkpoint = checkpoint_of(spec)
    ids = np.random.default_rng(2).integers(0, spec.vocab, (3, 12))
    found = FloatModel(checkpoint).sequence(ids)
    for row, sequence in zip(found, ids):
        np.testing.assert_allclose(row, plain_logits(checkpoint, sequence), rtol=1e-9, atol=1e-9)


def test_passes_run_in_order():
    folded = fold(checkpoint_of(SPECS["prelude and coda"]))
    outside = [not weights.loop_embedding.any() for weights in folded.passes]
    assert outside == [True, False, False, True, True]


def test_batch_rows_do_not_mix():
    checkpoint = checkpoint_of(SPECS["blink"])
    ids = np.random.default_rng(3).integers(0, 17, (4, 9))
    together = FloatModel(checkpoint).sequence(ids)
    for row, sequence in zip(together, ids):
        alone = FloatModel(checkpoint).sequence(sequence[None])
        np.testing.assert_allclose(row, alone[0], rtol=1e-12)


@pytest.mark.quick
def test_tokens_beyond_the_reach_do_not_matter():
    spec = ModelSpec(loops=2, vocab=17, eos=None, window=4)
    model = FloatModel(checkpoint_of(spec))
    reach = spec.passes * (spec.window - 1)
    ids = np.random.default_rng(4).integers(0, 17, (2, reach + 3))
    ids[1, 2:] = ids[0, 2:]
    ids[1, :2] = (ids[0, :2] + 1) % 17
    logits = model.sequence(ids)
    assert (logits[0, reach + 1] != logits[1, reach + 1]).any()
    np.testing.assert_array_equal(logits[0, reach + 2], logits[1, reach + 2])


def test_enter_without_logits_does_not_think():
    checkpoint = checkpoint_of(SPECS["thinking"])
    model = FloatModel(checkpoint)
    model.enter([1])
    assert model.position == 1
    model.logits()
    assert model.position == 3


def test_observer_sees_every_tensor_of_every_pass():
    seen = set()
    spec = SPECS["two loops"]

    def observer(name, index, values):
        assert np.isfinite(values).all()
        seen.add((name, index))

    FloatModel(checkpoint_of(spec), observer=observer).step([0])
    names = ("q", "k", "v", "score", "x", "gate", "up", "z")
    assert seen == {(name, i) for name in names for i in range(2)} | {("logit", -1)}


@pytest.mark.parametrize("token", [-1, 17, 256])
def test_id_outside_the_vocabulary(token):
    with pytest.raises(InputError, match=f"token id {token} is outside"):
        FloatModel(checkpoint_of(SPECS["blink"])).step([token])


def test_wrong_batch():
    with pytest.raises(ValueError, match=r"ids must have shape \(1,\)"):
        FloatModel(checkpoint_of(SPECS["blink"])).step([1, 2])
