# SPDX-License-Identifier: MIT
"""Where a model's rows lie in the lanes' memories.

There are two spaces of 4,096 logical rows: K space (weights, output rows, K rings) and V space
(down columns, V' rings). Logical row r is lane r mod P, address r // P, so a layout is the same
for every P.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.errors import InputError

__all__ = ["ALIGN", "MAX_ROPE_DEN", "MAX_VOCAB", "ROWS", "Layout", "PassPlace", "align"]

ROWS = 4096
"""Logical rows in each space, whatever the number of lanes."""

MAX_VOCAB = 512
MAX_ROPE_DEN = 1024
"""Depths of the embedding and RoPE memories."""

ALIGN = 8
"""Matrices and rings start at multiples of this: the largest number of lanes."""


def align(rows: int) -> int:
    """Round up to a multiple of ``ALIGN``."""
    return -(-rows // ALIGN) * ALIGN


@dataclass(frozen=True)
class PassPlace:
    """First rows of one pass: q, k, v' and gate, up in K space; down in V space; ring in both."""

    qkv: int
    gate: int
    down: int
    kv: int


class _Space:
    """Blocks of rows, equal ones stored once."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, int] = {}
        self.used = 0

    def place(self, rows: np.ndarray) -> int:
        key = rows.tobytes()
        if key not in self.blocks:
            self.blocks[key] = self.used
            self.used += align(len(rows))
        return self.blocks[key]


@dataclass(frozen=True)
class Layout:
    """Places of all rows of a model."""

    passes: tuple[PassPlace, ...]
    out_base: int
    k_rows: int
    """Rows of K space that the image holds."""
    v_rows: int
    ring_rows: int
    """Rows of one pass's KV ring."""

    @classmethod
    def of(cls, model: QuantizedModel) -> Layout:
        """Place a model. Raises ``InputError`` with the numbers when it does not fit."""
        k_space, v_space = _Space(), _Space()
        weights = [
            (k_space.place(_qkv(w)), k_space.place(_gate_up(w)), v_space.place(w.down.T.copy()))
            for w in model.passes
        ]
        out_base = k_space.used
        k_rows = out_base + align(model.vocab)
        ring = align(model.window)
        first = max(k_rows, v_space.used)
        total = first + ring * len(model.passes)
        if total > ROWS:
            raise InputError(
                f"the model needs {total} of {ROWS} rows ({first} for weights, "
                f"{len(model.passes)} KV rings of {ring}): "
                f"a window of {max(0, (ROWS - first) // len(model.passes) // 8 * 8)} would fit"
            )
        places = tuple(PassPlace(*w, first + ring * i) for i, w in enumerate(weights))
        return cls(places, out_base, k_rows, v_space.used, ring)

    def k_space(self, model: QuantizedModel) -> np.ndarray:
        """Rows (k_rows, 3) of K space."""
        rows = np.zeros((self.k_rows, 3), np.int64)
        for place, weights in zip(self.passes, model.passes, strict=True):
            for base, block in ((place.qkv, _qkv(weights)), (place.gate, _gate_up(weights))):
                rows[base : base + len(block)] = block
        rows[self.out_base : self.out_base + model.vocab] = model.embed_out
        return rows

    def v_space(self, model: QuantizedModel) -> np.ndarray:
        """Rows (v_rows, 3) of V space."""
        rows = np.zeros((self.v_rows, 3), np.int64)
        for place, weights in zip(self.passes, model.passes, strict=True):
            rows[place.down : place.down + weights.hidden] = weights.down.T
        return rows


def _qkv(weights: PassWeights) -> np.ndarray:
    block = np.zeros((3 * ALIGN, 3), np.int64)
    for i, matrix in enumerate((weights.wk, weights.wq, weights.wv)):
        block[i * ALIGN : i * ALIGN + 3] = matrix
    return block


def _gate_up(weights: PassWeights) -> np.ndarray:
    padded = align(weights.hidden)
    block = np.zeros((2 * padded, 3), np.int64)
    block[: weights.hidden] = weights.gate
    block[padded : padded + weights.hidden] = weights.up
    return block
