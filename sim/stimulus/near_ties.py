# SPDX-License-Identifier: MIT
"""Models with near ties between tokens, or with the winners at the edges of the vocabulary."""

import random
from dataclasses import replace

import numpy as np

from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.qformat import QFormat

__all__ = ["near_tie_model", "vocab_edges_model"]

LOGIT_GAPS = (0, 1, 5, 20, 100, 300, 1000)
"""Largest differences between the rows of the output matrix."""
EDGE_TOKENS = 8
"""Number of tokens at each edge of the vocabulary."""


def _model(rng: random.Random, plan: NumberPlan, vocab: int) -> QuantizedModel:
    spec = ModelSpec(
        loops=rng.randint(1, 3),
        hidden=rng.randint(1, 16),
        vocab=vocab,
        window=rng.choice((3, 8, 40)),
        eos=None,
    )
    return random_model(np.random.default_rng(rng.getrandbits(32)), spec, plan)


def near_tie_model(rng: random.Random, plan: NumberPlan) -> QuantizedModel:
    """A small vocabulary with almost equal logits, negative in half of the cases."""
    model = _model(rng, plan, rng.choice((2, 3, 4, 5, 6, 7, 8, 11, 17, 40)))
    weight, by = QFormat(plan.weight_width, 0), rng.choice(LOGIT_GAPS)
    generator = np.random.default_rng(rng.getrandbits(32))
    rows = model.embed_out[0] + generator.integers(-by, by + 1, model.embed_out.shape)
    return replace(model, embed_out=np.clip(rows, weight.lo, weight.hi).astype(np.int64))


def vocab_edges_model(rng: random.Random, plan: NumberPlan) -> QuantizedModel:
    """A large vocabulary in which the first and the last tokens win."""
    sizes = rng.randint(41, 256), rng.randint(257, 512)
    model = _model(rng, plan, rng.choice(sizes))
    rows = model.embed_out.copy()
    rows[EDGE_TOKENS:-EDGE_TOKENS] = 0
    return replace(model, embed_out=rows)
