# SPDX-License-Identifier: MIT
"""Models whose tokens contest closely: of like logits, or at the ends of the vocabulary."""

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
"""How much the rows of a matrix may differ from each other."""
EDGE_TOKENS = 8
"""Tokens at each end of a vocabulary."""


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
    """Few tokens, all of about the same logit, which is negative as often as not."""
    model = _model(rng, plan, rng.choice((2, 3, 4, 5, 6, 7, 8, 11, 17, 40)))
    weight, by = QFormat(plan.weight_width, 0), rng.choice(LOGIT_GAPS)
    generator = np.random.default_rng(rng.getrandbits(32))
    rows = model.embed_out[0] + generator.integers(-by, by + 1, model.embed_out.shape)
    return replace(model, embed_out=np.clip(rows, weight.lo, weight.hi).astype(np.int64))


def vocab_edges_model(rng: random.Random, plan: NumberPlan) -> QuantizedModel:
    """Many tokens, of which the first and the last ones win."""
    sizes = rng.randint(41, 256), rng.randint(257, 512)
    model = _model(rng, plan, rng.choice(sizes))
    rows = model.embed_out.copy()
    rows[EDGE_TOKENS:-EDGE_TOKENS] = 0
    return replace(model, embed_out=rows)
