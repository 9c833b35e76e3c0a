# SPDX-License-Identifier: MIT
"""Adam on one flat vector, with gradient clipping (Kingma and Ba, 2014)."""

from dataclasses import dataclass, field

import numpy as np

from glintfpga.train.parameters import Vector

__all__ = ["Adam"]

_EPSILON = 1e-8


@dataclass(kw_only=True)
class Adam:
    """Moments of ``count`` numbers; ``step`` changes the vector in place.

        m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
        vector -= rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8)
    """

    count: int
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    """Largest length of a gradient; a longer one is scaled down to it."""
    steps: int = 0
    first: Vector = field(init=False)
    second: Vector = field(init=False)

    def __post_init__(self) -> None:
        self.first = np.zeros(self.count, np.float32)
        self.second = np.zeros(self.count, np.float32)

    def step(self, vector: Vector, gradient: Vector, rate: float) -> None:
        """One update with learning rate ``rate``."""
        length = float(np.sqrt(np.dot(gradient, gradient)))
        if length > self.clip:
            gradient = gradient * np.float32(self.clip / length)
        self.steps += 1
        self.first += np.float32(1 - self.beta1) * (gradient - self.first)
        self.second += np.float32(1 - self.beta2) * (gradient * gradient - self.second)
        scale = np.float32(rate / (1 - self.beta1**self.steps))
        root = np.sqrt(self.second * np.float32(1 / (1 - self.beta2**self.steps)))
        vector -= scale * self.first / (root + np.float32(_EPSILON))
