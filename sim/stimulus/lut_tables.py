# SPDX-License-Identifier: MIT
"""Models that exercise every LUT entry, with logits sensitive to its least significant bit.

RMSNorm keeps only the direction of x: a change of x by one shows in the logits if x is small. So x
is kept small, and the contribution of the table is made large in comparison.
"""

from dataclasses import replace

import numpy as np

from glintfpga.quant.blink.model import IntArray, QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec

__all__ = ["denominator_model", "gate_model"]

VOCAB = 64
X = 3000
"""Size of the embeddings, of 32,767 at most."""
GATE, UP = 40, 37
"""Length of the rows of gate and up. The dot product of such a row and h, a point on a sphere, is
uniformly distributed (Archimedes): here over the whole format, and a little more."""
SHIFT_DOWN = 11
"""Weight of SiLU times up in x: some thousands for all hidden values together."""
DIRECTION = np.array([9000, -10_000, 11_000])
STEP = np.array([13_500, -14_500, 14_000])
"""Attention adds this to x in even passes, and subtracts it in odd ones."""
SPREAD = 2.2
"""Spread of q and k: gives sums of weights from 1/2 to some dozens."""


def gate_model(rng: np.random.Generator, plan: NumberPlan) -> QuantizedModel:
    """16 passes of 16 hidden values, with gates uniform over the table of SiLU."""
    model = _model(rng, plan, hidden=16, window=8)
    passes = tuple(
        replace(
            one,
            gate=_rows(rng, 16, GATE),
            up=_rows(rng, 16, UP),
            down=rng.integers(-2047, 2048, (3, 16)),
            wv=rng.integers(-300, 300, (3, 3)),
            loop_embedding=rng.integers(-X, X, 3),
            shift_gate=plan.min_shift,
            shift_up=plan.min_shift,
            shift_v=plan.min_shift + 2,
            shift_down=SHIFT_DOWN,
        )
        for one in model.passes
    )
    return replace(model, passes=passes)


def denominator_model(rng: np.random.Generator, plan: NumberPlan) -> QuantizedModel:
    """16 passes of attention over 192 rows with almost equal values.

    Their weighted mean is almost the same for any weights: what remains is the rounding of the
    table of reciprocals.
    """
    model = _model(rng, plan, hidden=1, window=192)
    h = DIRECTION / np.sqrt(np.mean(DIRECTION**2))
    shift_v, shift_qk = plan.min_shift + 2, plan.min_shift + 3
    values = STEP / (1 << plan.x.frac - plan.v.frac)
    wv = np.outer(values, h) / 3 * (1 << shift_v) / (1 << plan.h.frac)
    scale = SPREAD * (1 << shift_qk) / (1 << plan.h.frac - plan.qk.frac)
    passes = []
    for number, one in enumerate(model.passes):
        wq, wk = (np.round(rng.normal(size=(3, 3)) * scale).astype(np.int64) for _ in "qk")
        passes.append(
            replace(
                one,
                wq=np.clip(wq, -2047, 2047),
                wk=np.clip(wk, -2047, 2047),
                wv=np.round(wv).astype(np.int64),
                down=np.zeros_like(one.down),
                loop_embedding=-DIRECTION - STEP if number % 2 else DIRECTION,
                shift_q=shift_qk,
                shift_k=shift_qk,
                shift_v=shift_v,
            )
        )
    return replace(model, passes=tuple(passes))


def _model(
    rng: np.random.Generator, plan: NumberPlan, *, hidden: int, window: int
) -> QuantizedModel:
    spec = ModelSpec(loops=16, hidden=hidden, vocab=VOCAB, window=window, eos=None)
    return replace(
        random_model(rng, spec, plan, edges=0),
        embed_in=rng.integers(-X, X, (VOCAB, 3)),
        embed_out=rng.integers(-2047, 2048, (VOCAB, 3)),
        shift_logit=plan.min_shift,
    )


def _rows(rng: np.random.Generator, count: int, length: int) -> IntArray:
    rows = rng.normal(size=(count, 3))
    rows *= length / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.round(rows).astype(np.int64)
