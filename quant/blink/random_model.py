# SPDX-License-Identifier: MIT
"""Random integer models at the edges of every format: for tests of exactness, not for chat."""

import numpy as np

from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.blink.tables import rope_table
from glintfpga.quant.numbers.qformat import QFormat

__all__ = ["random_model"]


def random_model(
    rng: np.random.Generator,
    spec: ModelSpec,
    plan: NumberPlan,
    *,
    edges: float = 0.2,
    embedding_bits: int | None = None,
) -> QuantizedModel:
    """Weights over the whole format, a share ``edges`` of them exactly at its ends.

    Input and loop embeddings have ``embedding_bits`` bits, by default all of x. A norm
    erases the last bits of large ones: give few where single bits must show in the logits.

    Loops share their feed-forward matrices, as trained models do; shifts are drawn so that
    saturation, rounding and plain values all occur.
    """
    weight = QFormat(plan.weight_width, 0)
    embedding = QFormat(embedding_bits or plan.x.width, 0)

    def integers(fmt: QFormat, *shape: int) -> np.ndarray:
        values = rng.integers(fmt.lo, fmt.hi + 1, shape)
        ends = rng.choice([fmt.lo, fmt.hi, 0, -1], shape)
        return np.where(rng.random(shape) < edges, ends, values).astype(np.int64)

    def shift(middle: int) -> int:
        return int(np.clip(rng.integers(middle - 3, middle + 4), plan.min_shift, plan.max_shift))

    def shift_down() -> int:
        return int(rng.integers(max(0, plan.min_sum_shift), plan.max_sum_shift + 1))

    width = plan.weight_width
    shared = {
        "gate": integers(weight, spec.hidden, 3),
        "up": integers(weight, spec.hidden, 3),
        "down": integers(weight, 3, spec.hidden),
    }
    passes = tuple(
        PassWeights(
            wq=integers(weight, 3, 3),
            wk=integers(weight, 3, 3),
            wv=integers(weight, 3, 3),
            **shared,
            loop_embedding=integers(embedding, 3),
            shift_q=shift(width),
            shift_k=shift(width),
            shift_v=shift(width),
            shift_gate=shift(width),
            shift_up=shift(width),
            shift_down=shift_down(),
        )
        for _ in range(spec.passes)
    )
    rope_num, rope_den = (7, 44) if spec.window <= 24 else (113, 710)
    return QuantizedModel(
        spec=spec,
        plan=plan,
        rope_num=rope_num,
        rope_den=rope_den,
        passes=passes,
        embed_in=integers(embedding, spec.vocab, 3),
        embed_out=integers(weight, spec.vocab, 3),
        shift_logit=shift(width - 4),
        rope_table=rope_table(plan.rope, rope_den),
        eos=spec.eos,
        thinking=spec.thinking,
    )
