# SPDX-License-Identifier: MIT
import math

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.fold import fold
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec

SPEC = ModelSpec(loops=2, prelude=1, lora_rank=2, lora_targets=LORA_TARGETS, vocab=7, eos=None)


def checkpoint():
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(size=shape) for name, shape in SPEC.tensor_shapes().items()}
    return Checkpoint(spec=SPEC, tensors=tensors)


def test_matrices_of_a_loop():
    source = checkpoint()
    t, folded = source.tensors, fold(source).passes[2]
    h = np.array([0.3, -1.2, 0.9])

    def adapted(kind, name, vector):
        base = t[f"{kind}.{name}"] @ vector
        return base + t[f"lora.1.{name}.b"] @ (t[f"lora.1.{name}.a"] @ vector)

    gained, ffn_gained = h * t["norm.attention"], h * t["norm.ffn"]
    scale = math.log2(math.e) / math.sqrt(3)
    np.testing.assert_allclose(folded.wq @ h, adapted("attention", "q", gained) * scale)
    np.testing.assert_allclose(folded.wk @ h, adapted("attention", "k", gained))
    v = adapted("attention", "v", gained)
    np.testing.assert_allclose(folded.wv @ h, adapted("attention", "o", v))
    np.testing.assert_allclose(folded.gate @ h, adapted("ffn", "gate", ffn_gained))
    np.testing.assert_allclose(folded.up @ h, adapted("ffn", "up", ffn_gained))
    z = np.arange(6.0)
    np.testing.assert_allclose(folded.down @ z, adapted("ffn", "down", z))
    np.testing.assert_array_equal(folded.loop_embedding, t["loop_embedding"][1])


@pytest.mark.quick
def test_blocks_outside_the_loop_have_no_adapter():
    source = checkpoint()
    t, folded = source.tensors, fold(source).passes[0]
    np.testing.assert_array_equal(
        folded.wk, t["prelude.0.attention.k"] * t["prelude.0.norm.attention"]
    )
    np.testing.assert_array_equal(folded.down, t["prelude.0.ffn.down"])
    np.testing.assert_array_equal(folded.loop_embedding, np.zeros(3))


def test_embeddings():
    source = checkpoint()
    t, folded = source.tensors, fold(source)
    np.testing.assert_array_equal(folded.embed_in, t["embedding"])
    h = np.array([1.0, -0.5, 0.25])
    logits = t["logit_scale"][0] * t["embedding"] @ (h * t["norm.final"])
    np.testing.assert_allclose(folded.embed_out @ h, logits * math.log2(math.e))
