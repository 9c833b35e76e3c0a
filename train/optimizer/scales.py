# SPDX-License-Identifier: MIT
"""Scales that a model is free to choose, chosen so that its values fit the chip's formats.

RMSNorm does not depend on the size of x, so everything that is added to x may shrink alike while
the scale of the logits grows. What multiplies the gate may shrink where the way down grows. Both
by powers of two, which change no bit of a float result but for the epsilon of the norms, 1e-5
beside squares of x. Training lets x wander: to 50 and 100 where the format ends at 32, which cost
54 % of byte perplexity in the integers of plan 12, and costs 0.6 % with the scales chosen
(measured on train-heldout, before quantized training).
"""

from collections.abc import Mapping

import numpy as np

from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.train.engine.parameters import Vector, views

__all__ = ["fitted"]

_LARGEST = {"x": 20.0, "v": 12.0, "up": 3.0, "z": 6.0}
"""Below the ends of plan 12's formats, for ranges are those of a sample: x found at 28 went to 35
in other text. A bit less of precision costs nothing (12.659 and 12.663, byte perplexity)."""
_ADDED_TO_X = ("embedding", "loop_embedding", "attention.o", ".o.b", "ffn.down", ".down.b")
_INTO_Z = ("ffn.up", ".up.b")
_FROM_Z = ("ffn.down", ".down.b")


def fitted(spec: ModelSpec, vector: Vector, ranges: Mapping[str, float]) -> Vector:
    """The same function with smaller numbers, where ``ranges`` are too large.

    ``ranges`` are the largest magnitudes of x, v, up and z, as `Kernel.ranges` finds them. Values
    that fit already stay as they are, so fitting twice changes nothing.
    """
    x = _shrink(ranges, "x", "v")
    z = _shrink(ranges, "up", "z")
    result = vector.copy()
    for name, tensor in views(spec, result).items():
        if name == "logit_scale":
            tensor /= x
        if name.endswith(_ADDED_TO_X):
            tensor *= x
        if name.endswith(_INTO_Z):
            tensor *= z
        if name.endswith(_FROM_Z):
            tensor /= z
    return result


def _shrink(ranges: Mapping[str, float], *names: str) -> np.float32:
    """The largest power of two, 1 at the most, that makes them fit."""
    excess = max(ranges[name] / _LARGEST[name] for name in names)
    return np.float32(2.0 ** -max(0, int(np.ceil(np.log2(max(excess, 1e-9))))))
