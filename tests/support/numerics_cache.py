# SPDX-License-Identifier: MIT
"""A reference model that computes the logits of each context once."""

from dataclasses import replace
from typing import Any

import numpy as np

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.device.loaded_model import LoadedModel
from glintfpga.quant.errors import InputError

__all__ = ["NumericsCache"]

Node = dict[int, Any]
"""Children by token; the logits, once computed, under -1."""


class _CachedModel:
    """A model and what it has computed, for all devices that hold it."""

    def __init__(self, model: LoadedModel):
        self.model = model
        self.root: Node = {}
        self._entered: list[int] = []
        """What the model has entered."""

    def logits(self, context: list[int]) -> np.ndarray:
        known = len(self._entered)
        if context[:known] != self._entered:
            self.model.numerics.clear()
            known = 0
        for token in context[known:]:
            self.model.numerics.enter(token)
        self._entered = list(context)
        return self.model.numerics.logits()


class _CachedNumerics:
    """`Numerics` of one device."""

    def __init__(self, known: _CachedModel):
        self._known = known
        self.clear()

    def clear(self) -> None:
        self._context: list[int] = []
        self._node = self._known.root

    def enter(self, token: int) -> None:
        self._context.append(token)
        self._node = self._node.setdefault(token, {})

    def logits(self) -> np.ndarray:
        if -1 not in self._node:
            self._node[-1] = self._known.logits(self._context)
        logits: np.ndarray = self._node[-1]
        return logits


class NumericsCache:
    """Makes the models of software devices, which share what any of them has computed."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, DeviceConfig], _CachedModel] = {}

    def load(self, data: bytes, config: DeviceConfig) -> LoadedModel:
        """As `reference_model`. Raises ``InputError`` for a model that thinks as well.

        Thinking makes each asking different.
        """
        key = data, config
        if key not in self._known:
            model = reference_model(data, config)
            if data[14]:
                raise InputError("a thinking model cannot be remembered; take one without")
            self._known[key] = _CachedModel(model)
        known = self._known[key]
        return replace(known.model, numerics=_CachedNumerics(known))
