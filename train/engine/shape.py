# SPDX-License-Identifier: MIT
"""Shapes of the family beyond the chip's three dimensions."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from glintfpga.quant.blink.limits import check_fits
from glintfpga.quant.blink.spec import DIM, ModelSpec, check_size, check_sizes
from glintfpga.quant.errors import InputError

__all__ = ["AnySpec", "Shape", "for_chip"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of one model: the fields of ``ModelSpec``, and what dimension 3 has no use for.

    Raises ``InputError`` as ``quant.blink.spec.check_sizes``, for sizes of its own out of range,
    and when the heads do not divide the dimension.
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
    """How often the last x is fed back as the next input before the logits of a token."""
    eos: int | None
    chat: bool = False

    def __post_init__(self) -> None:
        check_sizes(self)
        check_size("dim", self.dim, least=1)
        check_size("heads", self.heads, least=1)
        if self.embedding_rank is not None:
            check_size("embedding_rank", self.embedding_rank, least=1)
        if self.dim % self.heads:
            raise InputError(f"heads must divide dim {self.dim!r}, but are {self.heads!r}")

    @classmethod
    def of(cls, spec: ModelSpec) -> "Shape":
        """Return the shape of a model for the chip."""
        return cls(dim=DIM, heads=1, embedding_rank=None, **asdict(spec))

    def spec(self) -> ModelSpec:
        """Return the shape for the chip. Raises ``InputError`` for any but dimension 3."""
        sizes = asdict(self)
        extra = (sizes.pop("dim"), sizes.pop("heads"), sizes.pop("embedding_rank"))
        if extra != (DIM, 1, None):
            raise InputError(
                f"the chip has {DIM} dimensions and one head, not {extra[:2]!r}: "
                "this model is for software only"
            )
        return ModelSpec(**sizes)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor, as ``ModelSpec.tensor_shapes``. Matrices are (out, in).

        With an ``embedding_rank`` there is ``embedding_up``, (dim, rank), too.
        """
        dim, hidden = self.dim, self.hidden
        rank = self.embedding_rank or dim
        projections = dict.fromkeys(("q", "k", "v", "o"), (dim, dim))
        projections |= {"gate": (hidden, dim), "up": (hidden, dim), "down": (dim, hidden)}
        shapes: dict[str, tuple[int, ...]] = {"embedding": (self.vocab, rank)}
        if self.embedding_rank:
            shapes["embedding_up"] = (dim, rank)
        shapes |= {
            "loop_embedding": (self.loops, dim),
            "logit_scale": (1,),
            "norm.final": (dim,),
        }
        own = [f"{kind}.{i}." for kind in ("prelude", "coda") for i in range(getattr(self, kind))]
        for prefix in ("", *own):
            for name, size in projections.items():
                shapes[f"{prefix}{'attention' if len(name) == 1 else 'ffn'}.{name}"] = size
            shapes |= {f"{prefix}norm.{name}": (dim,) for name in ("attention", "ffn")}
        for loop in range(self.loops):
            for name in self.lora_targets:
                rows, columns = projections[name]
                shapes[f"lora.{loop}.{name}.a"] = (self.lora_rank, columns)
                shapes[f"lora.{loop}.{name}.b"] = (rows, self.lora_rank)
        return shapes

    @property
    def param_count(self) -> int:
        """Trained numbers."""
        return sum(math.prod(size) for size in self.tensor_shapes().values())

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain JSON values, one key per field."""
        return {**asdict(self), "lora_targets": list(self.lora_targets)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Shape":
        """Read what ``to_json`` wrote. Raises ``InputError``."""
        values = dict(data)
        if isinstance(values.get("lora_targets"), list):
            values["lora_targets"] = tuple(values["lora_targets"])
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"wrong shape ({error})") from None


AnySpec = ModelSpec | Shape
"""Sizes of a model for the chip, or of one for software only."""


def for_chip(spec: AnySpec) -> ModelSpec:
    """The sizes of a model for the chip. Raises ``InputError`` for one for software only."""
    chip_spec = spec if isinstance(spec, ModelSpec) else spec.spec()
    check_fits(chip_spec)
    return chip_spec
