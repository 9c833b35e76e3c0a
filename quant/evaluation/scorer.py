# SPDX-License-Identifier: MIT
"""What can be scored: anything that gives logits of the next byte for many sequences at once."""

from typing import Protocol

from glintfpga.quant.numbers.arrays import FloatArray, IdArray

__all__ = ["Scorer"]


class Scorer(Protocol):
    """A model with a context for each of several sequences."""

    @property
    def reach(self) -> int | None:
        """Bytes back that can matter to a prediction; None: all."""

    @property
    def period(self) -> int:
        """Shifts of a text by this many positions leave every result as it is."""

    def reset(self, batch: int) -> None:
        """Empty the context of ``batch`` sequences."""

    def step(self, ids: IdArray) -> FloatArray:
        """Enter ids (batch,), return base-e logits (batch, vocab)."""
