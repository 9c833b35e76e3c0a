# SPDX-License-Identifier: MIT
"""The next token from the logits: arg max, with Gumbel noise for temperatures above 0."""

import numpy as np

from glintfpga.quant.numbers.formats import TEMPERATURE
from glintfpga.quant.numbers.gumbel import noise
from glintfpga.quant.numbers.trivium import Trivium, seed_key

__all__ = ["WORDS_ALIGN", "Sampler"]

WORDS_ALIGN = 16
"""A sampled token consumes a multiple of 16 words (256 bits) from the stream, whatever P is; those
behind the last id are not used."""


class Sampler:
    """Draws tokens from one noise stream.

    The stream is `Trivium` under the key of ``seed``, 16 bits an id in id order.
    Raises ``ValueError`` for a seed outside ``0..2**64 - 1``.
    """

    def __init__(self, seed: int = 0) -> None:
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start the stream of ``seed`` from its beginning."""
        self._stream = Trivium(seed_key(seed))

    def sample(self, logits: np.ndarray, temperature: int) -> int:
        """Return the arg max of ``logit + round(T * G)``, the lowest id of equals.

        ``logits``: (vocab,) stored integers with 8 fractional bits. ``temperature``: u10, T * 256,
        or ``ValueError``; 0 consumes nothing of the stream.
        """
        if not TEMPERATURE.lo <= temperature <= TEMPERATURE.hi:
            raise ValueError(
                f"temperature must be in 0..{TEMPERATURE.hi} (T * 256), not {temperature!r}"
            )
        if temperature:
            count = -(-len(logits) // WORDS_ALIGN) * WORDS_ALIGN
            words = np.frombuffer(self._stream.octets(2 * count), dtype=">u2")
            logits = logits + noise(temperature, words[: len(logits)])
        return int(np.argmax(logits))
