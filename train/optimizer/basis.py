# SPDX-License-Identifier: MIT
"""SOAP: the eigenbasis of the gradient in which Adam takes its step.

SOAP (Vyas et al., 2024) runs Adam in the eigenbasis of the gradient's second moment, because the
square roots of Adam work along the axes only. A model of a thousand numbers can afford the
whole matrix where larger ones need its Kronecker factors. For blink there are two blocks: the rows
of the embedding, 3 numbers each, share one basis, and all the 316 other numbers have one.
"""

from dataclasses import dataclass, field

import numpy as np

from glintfpga.quant.blink.spec import DIM
from glintfpga.train.engine.parameters import Vector
from glintfpga.train.engine.shape import AnySpec, Shape

__all__ = ["Eigenbasis", "eigenbases_of"]

_FIRST_STEPS = (20, 60)
_RENEWED_STEPS = 100
_SEEN_STEPS = 4
_MEMORY = 0.992
"""Of 4 steps; the second moment is a mean over about 500."""


@dataclass(kw_only=True)
class Eigenbasis:
    """An orthonormal basis for the numbers ``start`` to ``stop`` of a vector, ``width`` at a time.

    C = 0.992 C + 0.008 g^T g   each 4th step, g (rows, width)
    axes = eigenvectors of C    after steps 20, 60 and each 100th
    """

    start: int
    stop: int
    width: int
    moment: Vector = field(init=False)
    """C, (width, width)."""
    axes: Vector = field(init=False)
    """(width, width), one direction per column."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.stop <= self.start or (self.stop - self.start) % self.width:
            raise ValueError(f"no rows of {self.width} from {self.start} to {self.stop}")
        self.moment = np.zeros((self.width, self.width), np.float32)
        self.axes = np.eye(self.width, dtype=np.float32)

    def rotated(self, vector: Vector) -> Vector:
        """The block of ``vector`` along the axes, flat."""
        return (self._rows(vector) @ self.axes).ravel()

    def rotated_back(self, part: Vector) -> Vector:
        """The inverse of ``turned``."""
        return (part.reshape(-1, self.width) @ self.axes.T).ravel()

    def update(self, gradient: Vector, step: int) -> Vector | None:
        """Add the gradient of a step, counted from 1.

        Returns None, or the turn from the old axes to new ones, (width, width).
        """
        if step % _SEEN_STEPS == 0:
            rows = self._rows(gradient)
            self.moment *= np.float32(_MEMORY)
            self.moment += np.float32(1 - _MEMORY) * (rows.T @ rows)
        if step not in _FIRST_STEPS and step % _RENEWED_STEPS:
            return None
        found = np.linalg.eigh(self.moment)[1].astype(np.float32)
        turn = self.axes.T @ found
        self.axes = found
        return turn

    def _rows(self, vector: Vector) -> Vector:
        return vector[self.start : self.stop].reshape(-1, self.width)


def eigenbases_of(spec: AnySpec) -> tuple[Eigenbasis, ...]:
    """Fresh bases for a shape of the chip: its embedding and the rest; none for larger shapes."""
    if isinstance(spec, Shape):
        return ()
    assert next(iter(spec.tensor_shapes())) == "embedding"
    edge, count = spec.vocab * DIM, spec.param_count
    return (
        Eigenbasis(start=0, stop=edge, width=DIM),
        Eigenbasis(start=edge, stop=count, width=count - edge),
    )
