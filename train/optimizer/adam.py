# SPDX-License-Identifier: MIT
"""Adam on one flat vector (Kingma and Ba, 2014), with gradient clipping and a choice of axes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from glintfpga.train.engine.parameters import Vector
from glintfpga.train.optimizer.basis import Eigenbasis

__all__ = ["Adam"]

_EPSILON = 1e-8


@dataclass(kw_only=True)
class Adam:
    """Moments of ``count`` numbers; ``step`` changes the vector in place.

    r = g along the axes of each basis
    m = b1 m + (1 - b1) r,   v = b2 v + (1 - b2) r^2
    u = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8)
    vector -= rate * u, turned back
    """

    count: int
    bases: tuple[Eigenbasis, ...] = ()
    """Of blocks of the vector; what lies outside them keeps its own axes."""
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
        rotated = gradient.copy()
        for basis in self.bases:
            self._renew(basis, gradient)
            rotated[basis.start : basis.stop] = basis.rotated(gradient)
        self.first += np.float32(1 - self.beta1) * (rotated - self.first)
        self.second += np.float32(1 - self.beta2) * (rotated * rotated - self.second)
        scale = np.float32(rate / (1 - self.beta1**self.steps))
        root = np.sqrt(self.second * np.float32(1 / (1 - self.beta2**self.steps)))
        update = scale * self.first / (root + np.float32(_EPSILON))
        for basis in self.bases:
            block = slice(basis.start, basis.stop)
            update[block] = basis.rotated_back(update[block])
        vector -= update

    def tensors(self) -> dict[str, Vector]:
        """All that the next step depends on, besides ``steps``."""
        found = {"first": self.first, "second": self.second}
        for number, basis in enumerate(self.bases):
            found |= {f"moment.{number}": basis.moment, f"axes.{number}": basis.axes}
        return found

    def adopt(self, tensors: Mapping[str, Vector], steps: int) -> None:
        """Restore what ``tensors`` of one with the same bases returned after ``steps``."""
        self.steps = steps
        for name, mine in self.tensors().items():
            mine[:] = tensors[name]

    def _renew(self, basis: Eigenbasis, gradient: Vector) -> None:
        """Turn the moments with the axes; the second moments have no terms between axes."""
        turn = basis.update(gradient, self.steps)
        if turn is None:
            return
        for moments, factor in ((self.first, turn), (self.second, turn * turn)):
            part = moments[basis.start : basis.stop]
            part[:] = (part.reshape(-1, basis.width) @ factor).ravel()
