# SPDX-License-Identifier: MIT
"""Models of random shape with random weights: they reach what the shipped model does not use."""

import random
from dataclasses import replace

import numpy as np

from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.blink.tables import rope_table

__all__ = ["any_model"]

EDGES = (0.0, 0.2, 1.0)
"""Shares of the weights that are at the limits of their format."""
SMALL = 64
"""Divisor for models with small weights."""
TINY = 4096
"""Divisor for models in which x is only some units."""
MOST_ROPE = 700
"""Denominator of the angle, which is the number of rows of its table."""


def _any_shape(rng: random.Random) -> ModelSpec:
    """Random sizes within the device's limits; small ones more often than uniformly."""
    passes = rng.choice((1, 2, 3, 4, 7, 10, 13, 15, 16))
    prelude = rng.randrange(min(passes, 3))
    coda = rng.randrange(min(passes - prelude, 3))
    vocab = rng.choice((rng.randint(2, 40),) * 2 + (rng.randint(41, 512),))
    return ModelSpec(
        loops=passes - prelude - coda,
        prelude=prelude,
        coda=coda,
        hidden=rng.randint(1, 16),
        vocab=vocab,
        window=rng.choice([rng.randint(1, most) for most in (8, 40, 200)]),
        thinking=rng.choice((0, 0, 1, 3)) if passes < 6 else 0,
        eos=rng.choice((None, rng.randrange(vocab))),
    )


def any_model(rng: random.Random, plan: NumberPlan) -> QuantizedModel:
    """Random shape and RoPE angle; weights over their whole format or at its limits."""
    generator = np.random.default_rng(rng.getrandbits(32))
    model = random_model(generator, _any_shape(rng), plan, edges=rng.choice(EDGES))
    for change in rng.choice(((), (_small,), (_loud,), (_small, _loud), (_tiny,))):
        model = change(model)
    denominator = rng.randint(2, MOST_ROPE if rng.randrange(2) else 50)
    return replace(
        model,
        rope_num=rng.randrange(1, denominator),
        rope_den=denominator,
        rope_table=rope_table(plan.rope, denominator),
    )


def _small(model: QuantizedModel, by: int = SMALL) -> QuantizedModel:
    """The model with embeddings and sums so small that a change of x by one changes h."""
    passes = tuple(
        replace(
            one,
            loop_embedding=one.loop_embedding // by,
            shift_down=max(one.shift_down, model.plan.max_sum_shift - 2),
        )
        for one in model.passes
    )
    return replace(model, embed_in=model.embed_in // by, passes=passes)


def _tiny(model: QuantizedModel) -> QuantizedModel:
    """The model with x of some units only, where RMSNorm's epsilon dominates."""
    passes = tuple(replace(one, wv=one.wv // TINY, down=one.down // TINY) for one in model.passes)
    return _small(replace(model, passes=passes), TINY)


def _loud(model: QuantizedModel) -> QuantizedModel:
    """The model with q, k and v mostly at the limits of their formats."""
    least = model.plan.min_shift
    passes = tuple(
        replace(one, shift_q=least, shift_k=least, shift_v=least) for one in model.passes
    )
    return replace(model, passes=passes)
