# SPDX-License-Identifier: MIT
"""Where a model's rows lie in the lanes' memories.

There are two banks of 4,096 logical rows: the dot bank (weights, output rows, K rings), whose rows
are multiplied with one operand each, and the sum bank (down columns, V' rings), whose rows are
scaled and summed. Logical row r is address r // P of lane r mod P, so a layout is the same for
every P.

The sum bank has the output rows too, at the same places, so that logits come from both banks at
once. A device copies them there: it stores each row of the section DOT in both banks, and the rows
of SUM, which come later in an image, lie below the output rows.
"""

from dataclasses import dataclass

import numpy as np

from glintfpga.quant.blink.limits import LANES, LIMITS, check_fits
from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.errors import InputError

__all__ = [
    "ALIGN",
    "MAX_ROPE_DEN",
    "MAX_VOCAB",
    "ROWS",
    "Layout",
    "PassPlace",
    "align",
    "logit_rows",
]

ROWS = LIMITS.rows
"""Logical rows in each bank, whatever the number of lanes."""

MAX_VOCAB = LIMITS.vocab
MAX_ROPE_DEN = 1024
"""Depths of the embedding and RoPE memories."""

ALIGN = max(LANES)
"""Matrices and rings start at multiples of this, so that a layout serves every device."""


def logit_rows(lanes: int) -> int:
    """Logits per cycle: of both banks, but with 8 lanes of one, as the chip has no room for 16."""
    return min(2 * lanes, max(LANES))


def align(rows: int) -> int:
    """Round up to a multiple of ``ALIGN``."""
    return -(-rows // ALIGN) * ALIGN


@dataclass(frozen=True)
class PassPlace:
    """First rows of one pass: k, q, v' and gate, up in the dot bank; down in the sum bank; the KV
    ring in both."""

    qkv: int
    gate: int
    down: int
    kv: int


class _Bank:
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
    dot_rows: int
    """Rows of the dot bank in the image, those of the outputs included."""
    sum_rows: int
    ring_rows: int
    """Rows of one pass's KV ring."""

    @classmethod
    def of(cls, model: QuantizedModel) -> "Layout":
        """Place a model. Raises ``InputError`` with the numbers when it does not fit."""
        check_fits(model.spec)
        dot_bank, sum_bank = _Bank(), _Bank()
        weights = [
            (dot_bank.place(_qkv(w)), dot_bank.place(_gate_up(w)), sum_bank.place(w.down.T.copy()))
            for w in model.passes
        ]
        out_base = max(dot_bank.used, sum_bank.used)
        dot_rows = out_base + align(model.vocab)
        ring = align(model.window)
        first = max(dot_rows, sum_bank.used)
        total = first + ring * len(model.passes)
        if total > ROWS:
            raise InputError(
                f"the model needs {total} of {ROWS} rows ({first} for weights, "
                f"{len(model.passes)} KV rings of {ring}): "
                f"a window of {max(0, (ROWS - first) // len(model.passes) // 8 * 8)} would fit"
            )
        places = tuple(PassPlace(*w, first + ring * i) for i, w in enumerate(weights))
        return cls(places, out_base, dot_rows, sum_bank.used, ring)

    def dot_bank(self, model: QuantizedModel) -> np.ndarray:
        """Rows of the dot bank, (dot_rows, 3)."""
        rows = np.zeros((self.dot_rows, 3), np.int64)
        for place, weights in zip(self.passes, model.passes, strict=True):
            for base, block in ((place.qkv, _qkv(weights)), (place.gate, _gate_up(weights))):
                rows[base : base + len(block)] = block
        rows[self.out_base : self.out_base + model.vocab] = model.embed_out
        return rows

    def sum_bank(self, model: QuantizedModel) -> np.ndarray:
        """Rows of the sum bank, (sum_rows, 3)."""
        rows = np.zeros((self.sum_rows, 3), np.int64)
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
