# SPDX-License-Identifier: MIT
"""A blink model in a software device: the integer reference and the float model."""

import numpy as np

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.golden import GOLDEN_LANES, golden_crc
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.device.loaded_model import LoadedModel, Numerics
from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.errors import InputError

__all__ = [
    "FloatNumerics",
    "ReferenceNumerics",
    "float_model",
    "reference_model",
]


class ReferenceNumerics:
    """The integer reference, exact to the bit for ``lanes``."""

    def __init__(self, image: Image, *, lanes: int) -> None:
        self._model = ReferenceModel(image.model, lanes=lanes)

    def clear(self) -> None:
        self._model.reset()

    def enter(self, token: int) -> None:
        self._model.enter(token)

    def logits(self) -> np.ndarray:
        return np.asarray(self._model.logits()[0], np.int64)


class FloatNumerics:
    """The float model; only its logits are rounded, to the format the wire carries."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model = FloatModel(checkpoint)

    def clear(self) -> None:
        self._model.reset()

    def enter(self, token: int) -> None:
        self._model.enter([token])

    def logits(self) -> np.ndarray:
        base_2 = self._model.logits()[0] / np.log(2)
        limit = (1 << 31) - 1
        return np.asarray(np.clip(np.floor(base_2 * 256 + 0.5), -limit, limit), np.int64)


def reference_model(data: bytes, config: DeviceConfig) -> LoadedModel:
    """The model of an image's bytes as a device computes it.

    Raises ``InputError`` for a bad image or another plan.
    """
    image = Image.from_bytes(data)
    if image.model.plan != config.plan:
        plan = config.plan.code
        raise InputError(
            f"the image is of plan {image.model.plan.code} and the device of plan {plan}: "
            f"quantize the model for plan {plan}"
        )
    numerics = ReferenceNumerics(image, lanes=config.lanes)
    return _loaded(image, numerics, image.golden[GOLDEN_LANES.index(config.lanes)])


def float_model(data: bytes, checkpoint: Checkpoint) -> LoadedModel:
    """``checkpoint`` under the name of an image; raises ``InputError`` if their specs differ."""
    image = Image.from_bytes(data)
    if image.model.spec != checkpoint.spec:
        raise InputError(
            f"the image is of {image.model.spec!r} and the checkpoint of {checkpoint.spec!r}: "
            "quantize this checkpoint"
        )
    return _loaded(image, FloatNumerics(checkpoint), None)


def _loaded(image: Image, numerics: Numerics, golden: int | None) -> LoadedModel:
    def is_golden(numerics: Numerics) -> bool:
        return golden_crc(numerics.enter, numerics.logits) == golden

    return LoadedModel(
        numerics=numerics,
        vocab=image.model.vocab,
        eos=image.model.eos,
        image_header=image.header,
        image_crc=image.crc,
        is_golden=None if golden is None else is_golden,
    )
