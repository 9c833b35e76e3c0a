# SPDX-License-Identifier: MIT
"""What can be scored: anything that gives logits of the next byte for many sequences at once."""

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from glintfpga.quant.blink.checkpoint import Checkpoint, FloatArray
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec

__all__ = ["FixedScorer", "FloatScorer", "Scorer", "TableScorer"]

IdArray = npt.NDArray[np.int64]


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


class FloatScorer:
    """The float64 model of a checkpoint."""

    period = 1

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model = FloatModel(checkpoint)
        self.reach = _reach(checkpoint.spec)

    def reset(self, batch: int) -> None:
        self._model.reset(batch)

    def step(self, ids: IdArray) -> FloatArray:
        return self._model.step(ids)


class FixedScorer:
    """The bit-exact reference of a device with ``lanes`` lanes, with base-e logits."""

    def __init__(self, model: QuantizedModel, *, lanes: int) -> None:
        self._model = ReferenceModel(model, lanes=lanes)
        self._unit = model.plan.logit.ulp * math.log(2)
        self.reach = _reach(model.spec)
        # A position decides the angle of RoPE and the slot of the KV ring.
        self.period = math.lcm(model.rope_den, model.window)

    def reset(self, batch: int) -> None:
        self._model.reset(batch)

    def step(self, ids: IdArray) -> FloatArray:
        return np.asarray(self._model.step(ids) * self._unit, dtype=np.float64)


class TableScorer:
    """The next byte by a table of the last one: ``log_probability`` (256, 256), base e."""

    reach = 1
    period = 1

    def __init__(self, log_probability: FloatArray) -> None:
        self._table = log_probability

    def reset(self, batch: int) -> None:
        """Do nothing: the last byte is all that is known."""

    def step(self, ids: IdArray) -> FloatArray:
        return np.asarray(self._table[ids])


def _reach(spec: ModelSpec) -> int | None:
    """Each pass looks ``window - 1`` positions back, from what the pass before made there.

    Thinking feeds the last x back in, and so hands everything on.
    """
    return None if spec.thinking else spec.passes * (spec.window - 1) + 1
