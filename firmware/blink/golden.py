# SPDX-License-Identifier: MIT
"""Golden values of the self-test: a CRC of the logits after a fixed context."""

from collections.abc import Callable

import numpy as np

from glintfpga.quant.blink.limits import LANES
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.numbers.logit_crc import logit_crc

__all__ = ["GOLDEN_LANES", "GOLDEN_TOKENS", "golden_crc", "golden_crcs"]

GOLDEN_LANES = LANES
"""Lane counts that an image has a golden value for, in the order of its header."""

GOLDEN_TOKENS = 8
"""Length of the context: ids 0, 1, 0, 1, ..., which every vocabulary has. One position for each
lane of the widest device, so that all lanes take part in softmax; with fewer lanes there are more
groups."""


def golden_crc(enter: Callable[[int], None], logits: Callable[[], np.ndarray]) -> int:
    """CRC-32 of the logits after the fixed context; the context must be empty before."""
    for position in range(GOLDEN_TOKENS):
        enter(position & 1)
    return logit_crc(logits())


def golden_crcs(model: QuantizedModel) -> tuple[int, ...]:
    """Golden values for `GOLDEN_LANES`, computed with the integer reference.

    They differ where the groups of softmax do.
    """
    return tuple(_of_reference(model, lanes) for lanes in GOLDEN_LANES)


def _of_reference(model: QuantizedModel, lanes: int) -> int:
    reference = ReferenceModel(model, lanes=lanes)
    return golden_crc(reference.enter, lambda: reference.logits()[0])
