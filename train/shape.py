# SPDX-License-Identifier: MIT
"""Shapes of the family beyond the chip's three dimensions."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from glintfpga.quant.errors import InputError
from glintfpga.quant.spec import DIM, LORA_TARGETS, ModelSpec, preset

__all__ = ["PRESETS", "Shape", "shape_of"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of one model: the fields of ``ModelSpec``, and what dimension 3 has no use for.

    Raises ``InputError`` when the heads do not divide the dimension.
    """

    dim: int
    heads: int
    embedding_rank: int | None
    """The embedding is ``(vocab, rank) @ (rank, dim)``; None: (vocab, dim)."""
    loops: int
    lora_rank: int
    lora_targets: tuple[str, ...]
    hidden: int
    vocab: int
    window: int
    prelude: int
    coda: int
    thinking: int
    eos: int | None

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise InputError(f"heads must divide dim {self.dim!r}, but are {self.heads!r}")

    @classmethod
    def of(cls, spec: ModelSpec) -> Shape:
        """Return the shape of a model for the chip."""
        return cls(dim=DIM, heads=1, embedding_rank=None, **asdict(spec))

    def spec(self) -> ModelSpec:
        """Return the shape as the chip knows it. Raises ``InputError`` for any but dimension 3."""
        sizes = asdict(self)
        extra = (sizes.pop("dim"), sizes.pop("heads"), sizes.pop("embedding_rank"))
        if extra != (DIM, 1, None):
            raise InputError(f"the chip has {DIM} dimensions and one head, not {extra[:2]!r}")
        return ModelSpec(**sizes)


PRESETS = {
    "glimmer": Shape(
        dim=16, heads=4, embedding_rank=None, hidden=28, vocab=257, window=64, eos=256,
        prelude=1, loops=4, coda=1, lora_rank=1, lora_targets=("q", "k", "v", "o"), thinking=0,
    ),
    "glint": Shape(
        dim=128, heads=4, embedding_rank=32, hidden=384, vocab=257, window=256, eos=256,
        prelude=2, loops=6, coda=1, lora_rank=8, lora_targets=LORA_TARGETS, thinking=0,
    ),
}  # fmt: skip
"""``glimmer`` has 11,905 parameters, ``glint`` 989,089."""


def shape_of(name: str) -> Shape:
    """Return a named shape, the chip's presets included. Raises ``InputError``."""
    return PRESETS[name] if name in PRESETS else Shape.of(preset(name))
