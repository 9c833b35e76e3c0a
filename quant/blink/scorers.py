# SPDX-License-Identifier: MIT
"""Blink models as what `quant.evaluation` scores: its protocol `Scorer`."""

import math

import numpy as np

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.arrays import FloatArray, IdArray

__all__ = ["FixedScorer", "FloatScorer"]


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


def _reach(spec: ModelSpec) -> int | None:
    """Each pass looks ``window - 1`` positions back, from what the pass before made there.

    Thinking feeds the last x back in, so every byte before can matter.
    """
    return None if spec.thinking else spec.passes * (spec.window - 1) + 1
