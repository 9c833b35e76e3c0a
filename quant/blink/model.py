# SPDX-License-Identifier: MIT
"""A quantized model: stored integers and shifts, all that a device holds of it."""

from dataclasses import dataclass, fields

import numpy as np

from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.spec import ModelSpec

__all__ = ["IntArray", "PassWeights", "QuantizedModel"]

IntArray = np.ndarray
"""int64 arrays of stored integers."""


@dataclass(frozen=True, kw_only=True)
class PassWeights:
    """One pass of the block table. ``out = saturate(shift_round(W @ h, shift))`` for each matrix.

    ``down`` adds to the residual: ``x = saturate(x + shift_round(down @ z, shift_down))``.
    """

    wq: IntArray
    """(3, 3); log2(e)/sqrt(3) folded in."""
    wk: IntArray
    """(3, 3)."""
    wv: IntArray
    """(3, 3); Wo @ Wv."""
    gate: IntArray
    """(hidden, 3)."""
    up: IntArray
    """(hidden, 3)."""
    down: IntArray
    """(3, hidden)."""
    loop_embedding: IntArray
    """(3,), in the format of x."""
    shift_q: int
    shift_k: int
    shift_v: int
    shift_gate: int
    shift_up: int
    shift_down: int

    @property
    def hidden(self) -> int:
        return int(self.gate.shape[0])


@dataclass(frozen=True, kw_only=True)
class QuantizedModel:
    """Integers of a whole model. Vocabulary rows are (vocab, 3)."""

    spec: ModelSpec
    plan: NumberPlan
    rope_num: int
    rope_den: int
    """RoPE turns q and k by ``rope_num / rope_den`` of a full turn per token."""
    passes: tuple[PassWeights, ...]
    embed_in: IntArray
    """In the format of x."""
    embed_out: IntArray
    """Final gain, scale and log2(e) folded in: logits are base 2."""
    shift_logit: int
    rope_table: IntArray
    """(rope_den, 2): cosine and sine of ``2 pi i / rope_den``."""
    eos: int | None
    thinking: int

    @property
    def vocab(self) -> int:
        return int(self.embed_out.shape[0])

    @property
    def window(self) -> int:
        return self.spec.window

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuantizedModel):
            return NotImplemented
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]


def _equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, np.asarray(b))
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, QuantizedModel | PassWeights):
        return all(_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b
