# SPDX-License-Identifier: MIT
"""What a software device needs of a model, whatever its family."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["LoadedModel", "Numerics"]


class Numerics(Protocol):
    """One sequence of a model: what the core of the gateware does."""

    def clear(self) -> None:
        """Empty the context."""

    def enter(self, token: int) -> None:
        """Take a token through all passes."""

    def logits(self) -> np.ndarray:
        """Think, if the model does, and return (vocab,) int64 logits, base 2, 8 fractional bits.

        Calling it again thinks again.
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A model in a device: its numerics and what the hello reports of it."""

    numerics: Numerics
    vocab: int
    eos: int | None
    image_header: bytes
    image_crc: int
    is_golden: Callable[["Numerics"], bool] | None
    """The self-test: whether empty numerics compute the golden value; None: there is none."""
