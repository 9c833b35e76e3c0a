# SPDX-License-Identifier: MIT
"""Models of the tests: random ones, and numerics that are a hash of all that was entered."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.device.loaded_model import LoadedModel
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import PLAN12, NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec

__all__ = ["HashNumerics", "hash_model", "random_image", "seeded_model"]

WINS = 1 << 18
LOSES = -(1 << 19)


def seeded_model(
    spec: ModelSpec, plan: NumberPlan = PLAN12, *, seed: int = 1, **options: Any
) -> QuantizedModel:
    """A random model; ``options`` are those of `random_model`."""
    return random_model(np.random.default_rng(seed), spec, plan, **options)


def random_image(
    spec: ModelSpec, plan: NumberPlan = PLAN12, *, seed: int = 1, **options: Any
) -> Image:
    """The image of `seeded_model`."""
    return Image.from_model(seeded_model(spec, plan, seed=seed, **options))


class HashNumerics:
    """Logits are a hash of the whole context, so that any slip of it shows.

    Parameters
    ----------
    vocab
        Number of logits.
    never
        A token that is never drawn.
    script
        Winners of the next draws.
    """

    def __init__(self, vocab: int, *, never: int | None = None, script: Sequence[int] = ()):
        self.vocab = vocab
        self.never = never
        self.script = list(script)
        self.clear()

    def clear(self) -> None:
        self.context: list[int] = []
        self._hash = 0

    def enter(self, token: int) -> None:
        self.context.append(token)
        self._hash = zlib.crc32(token.to_bytes(2, "little"), self._hash)

    def logits(self) -> np.ndarray:
        logits = np.random.default_rng(self._hash).integers(-2048, 2048, self.vocab)
        if self.never is not None:
            logits[self.never] = LOSES
        if self.script:
            logits[self.script.pop(0)] = WINS
        return logits


def hash_model(vocab: int = 257, eos: int | None = 256, script: Sequence[int] = ()) -> LoadedModel:
    """A model of a software device with `HashNumerics`."""
    return LoadedModel(
        numerics=HashNumerics(vocab, script=script),
        vocab=vocab,
        eos=eos,
        image_header=b"GLNT".ljust(96, b"\1"),
        image_crc=0x12345678,
        is_golden=None,
    )
