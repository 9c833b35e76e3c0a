# SPDX-License-Identifier: MIT
"""Folding: a checkpoint becomes the matrices that a pass really multiplies with.

- LoRA: one effective matrix per projection and pass, ``W + B @ A``.
- Norm gains scale the columns of the matrix behind the norm.
- ``log2(e) / sqrt(3)`` goes into Wq, so attention weights are powers of two of ``q . k``.
- With one head and nothing between V and O, ``V' = Wo @ Wv``: the attention sum adds to x as it is.
- Final gain, logit scale and log2(e) go into the output rows: logits are base 2.
"""

import math
from dataclasses import dataclass

import numpy as np

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.spec import DIM, ModelSpec
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["FoldedModel", "FoldedPass", "fold"]

LOG2_E = 1 / math.log(2)


@dataclass(frozen=True, kw_only=True)
class FoldedPass:
    """Matrices of one pass; ``h`` is the plain normalized vector, without gain."""

    wq: FloatArray
    """(3, 3): ``q = wq @ h``, log2(e)/sqrt(3) included."""
    wk: FloatArray
    """(3, 3)."""
    wv: FloatArray
    """(3, 3): Wo @ Wv."""
    gate: FloatArray
    """(hidden, 3)."""
    up: FloatArray
    """(hidden, 3)."""
    down: FloatArray
    """(3, hidden)."""
    loop_embedding: FloatArray
    """(3,): added to x for the first norm only; zero outside the loop."""


@dataclass(frozen=True, kw_only=True)
class FoldedModel:
    """A whole model of real numbers in the form the chip computes it."""

    spec: ModelSpec
    passes: tuple[FoldedPass, ...]
    embed_in: FloatArray
    """(vocab, 3)."""
    embed_out: FloatArray
    """(vocab, 3): ``logits = embed_out @ h``, base 2."""
    rope_radians_per_token: float


def fold(checkpoint: Checkpoint) -> FoldedModel:
    """Return the folded form; in exact arithmetic both compute the same probabilities."""
    spec, tensors = checkpoint.spec, checkpoint.tensors
    own = [_fold_block(checkpoint, prefix, None) for prefix in spec.own_blocks]
    loops = [_fold_block(checkpoint, "", loop) for loop in range(spec.loops)]
    out_gain = tensors["norm.final"] * tensors["logit_scale"] * LOG2_E
    return FoldedModel(
        spec=spec,
        passes=(*own[: spec.prelude], *loops, *own[spec.prelude :]),
        embed_in=tensors["embedding"],
        embed_out=tensors["embedding"] * out_gain,
        rope_radians_per_token=checkpoint.rope_radians_per_token,
    )


def _fold_block(checkpoint: Checkpoint, prefix: str, loop: int | None) -> FoldedPass:
    """Fold the block whose tensors start with ``prefix``, adapted to ``loop`` unless None."""
    spec, tensors = checkpoint.spec, checkpoint.tensors

    def matrix(group: str, name: str) -> FloatArray:
        base = tensors[f"{prefix}{group}.{name}"]
        if loop is None or name not in spec.lora_targets:
            return base
        return base + tensors[f"lora.{loop}.{name}.b"] @ tensors[f"lora.{loop}.{name}.a"]

    gain = tensors[f"{prefix}norm.attention"]
    ffn_gain = tensors[f"{prefix}norm.ffn"]
    return FoldedPass(
        wq=matrix("attention", "q") * gain * (LOG2_E / math.sqrt(DIM)),
        wk=matrix("attention", "k") * gain,
        wv=matrix("attention", "o") @ matrix("attention", "v") * gain,
        gate=matrix("ffn", "gate") * ffn_gain,
        up=matrix("ffn", "up") * ffn_gain,
        down=matrix("ffn", "down"),
        loop_embedding=np.zeros(DIM) if loop is None else tensors["loop_embedding"][loop],
    )
