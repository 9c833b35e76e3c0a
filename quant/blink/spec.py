# SPDX-License-Identifier: MIT
"""The shape of a blink-family model: the single source of every size. Standard library only.

`quant.blink.limits` has the limits of a device.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from glintfpga.quant.errors import InputError

__all__ = ["DIM", "LORA_TARGETS", "PRESETS", "ModelSpec", "check_size", "check_sizes", "preset"]

DIM = 3
"""Width of the residual vector; the lanes are built for it."""

LORA_TARGETS = ("q", "k", "v", "o", "gate", "up", "down")
"""Projections that a loop can adapt, in canonical order."""

_LEAST = {
    "loops": 1,
    "lora_rank": 0,
    "hidden": 1,
    "vocab": 2,
    "window": 1,
    "prelude": 0,
    "coda": 0,
    "thinking": 0,
}
_MOST = 1 << 16
_NO_YES = ("no", "yes")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Sizes of one model.

    A token runs through ``prelude`` blocks of their own, ``loops`` passes of one shared block
    (each with a LoRA and a loop embedding of its own), and ``coda`` blocks of their own.

    Raises ``InputError`` as `check_sizes`.
    """

    loops: int = 8
    lora_rank: int = 1
    """0 with empty ``lora_targets``: all loops are equal but for their embedding."""
    lora_targets: tuple[str, ...] = ("q", "k", "v", "o")
    """Kept in the order of ``LORA_TARGETS`` whatever the order given."""
    hidden: int = 6
    vocab: int = 257
    window: int = 8
    """Positions that attention sees, its own included."""
    prelude: int = 0
    coda: int = 0
    thinking: int = 0
    """How often x is fed back through all passes before the logits of a token."""
    eos: int | None = 256
    """Id that ends an answer, or None."""
    chat: bool = False
    """Whether it was trained on dialogues, in the form of `quant.chat_template`."""

    def __post_init__(self) -> None:
        check_sizes(self)
        targets = self.lora_targets
        ordered = tuple(name for name in LORA_TARGETS if name in targets)
        object.__setattr__(self, "lora_targets", ordered)

    @property
    def passes(self) -> int:
        """Blocks that a token runs through."""
        return self.prelude + self.loops + self.coda

    @property
    def own_blocks(self) -> tuple[str, ...]:
        """Tensor name prefixes of the blocks outside the loop, in running order."""
        return (
            *(f"prelude.{i}." for i in range(self.prelude)),
            *(f"coda.{i}." for i in range(self.coda)),
        )

    @property
    def param_count(self) -> int:
        """Trained numbers.

        ``3 vocab + (1 + prelude + coda) (36 + 9 hidden + 6) + loops (3 + LoRA) + 3 + 1`` where a
        LoRA is ``rank (in + out)`` for each target: 6 for q, k, v, o and ``3 + hidden`` for gate,
        up, down.
        """
        block = 4 * DIM * DIM + 3 * DIM * self.hidden + 2 * DIM
        lora = self.lora_rank * sum(sum(self._projection(t)) for t in self.lora_targets)
        blocks = 1 + self.prelude + self.coda
        return DIM * self.vocab + blocks * block + self.loops * (DIM + lora) + DIM + 1

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every tensor of a checkpoint. Matrices are (out, in)."""
        shapes: dict[str, tuple[int, ...]] = {
            "embedding": (self.vocab, DIM),
            "loop_embedding": (self.loops, DIM),
            "logit_scale": (1,),
            "norm.final": (DIM,),
        }
        for prefix in ("", *self.own_blocks):
            for name in ("q", "k", "v", "o"):
                shapes[f"{prefix}attention.{name}"] = self._projection(name)
            for name in ("gate", "up", "down"):
                shapes[f"{prefix}ffn.{name}"] = self._projection(name)
            for name in ("attention", "ffn"):
                shapes[f"{prefix}norm.{name}"] = (DIM,)
        for loop in range(self.loops):
            for name in self.lora_targets:
                rows, columns = self._projection(name)
                shapes[f"lora.{loop}.{name}.a"] = (self.lora_rank, columns)
                shapes[f"lora.{loop}.{name}.b"] = (rows, self.lora_rank)
        return shapes

    def _projection(self, name: str) -> tuple[int, int]:
        if name in ("gate", "up"):
            return (self.hidden, DIM)
        return (DIM, self.hidden) if name == "down" else (DIM, DIM)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain JSON values, one key per field."""
        return {**asdict(self), "lora_targets": list(self.lora_targets)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelSpec":
        """Read what ``to_json`` wrote; missing fields take their defaults.

        Raises ``InputError`` for unknown fields and wrong values.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"a model spec must be a JSON object, not {data!r:.60}")
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise InputError(f"unknown field {unknown[0]!r} in the model spec: remove it")
        values = dict(data)
        if isinstance(values.get("lora_targets"), list):
            values["lora_targets"] = tuple(values["lora_targets"])
        return cls(**values)

    def to_metadata(self) -> dict[str, str]:
        """Return the strings that a checkpoint file carries in its header."""
        values = {name: str(value) for name, value in self.to_json().items()}
        values["lora_targets"] = ",".join(self.lora_targets)
        values["eos"] = "none" if self.eos is None else str(self.eos)
        values["chat"] = _NO_YES[self.chat]
        return {"model": "blink", **values}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "ModelSpec":
        """Read what ``to_metadata`` wrote. Keys that are no field are left to the caller.

        ``loops``, ``lora_rank``, ``hidden``, ``vocab`` and ``window`` must be there. Without
        ``eos`` it is 256 where the vocabulary has it, without ``chat`` it is no. Raises
        ``InputError``.
        """
        if metadata.get("model", "blink") != "blink":
            raise InputError(f"model must be 'blink', not {metadata['model']!r:.60}")
        for name in ("loops", "lora_rank", "hidden", "vocab", "window"):
            if name not in metadata:
                raise InputError(f"the metadata lack {name!r}: write them with the checkpoint")
        values: dict[str, Any] = {
            name: _parse_int(name, metadata[name]) for name in _LEAST if name in metadata
        }
        eos = metadata.get("eos", "256" if values["vocab"] > 256 else "none")
        values["eos"] = None if eos == "none" else _parse_int("eos", eos)
        chat = metadata.get("chat", "no")
        if chat not in _NO_YES:
            raise InputError(f"chat must be yes or no, not {chat!r:.60}")
        values["chat"] = chat == "yes"
        default = "q,k,v,o" if values["lora_rank"] else ""
        values["lora_targets"] = tuple(
            name for name in metadata.get("lora_targets", default).split(",") if name
        )
        return cls(**values)


def check_sizes(spec: Any) -> None:
    """Check the sizes that all models of the family have, whatever the width of their vectors.

    Raises ``InputError`` for one that is not a whole number or out of all proportion, and for
    sizes that contradict each other.
    """
    for name, least in _LEAST.items():
        check_size(name, getattr(spec, name), least=least)
    if spec.eos is not None:
        check_size("eos", spec.eos, least=0, most=spec.vocab - 1)
    if not isinstance(spec.chat, bool):
        raise InputError(f"chat must be true or false, not {spec.chat!r:.60}")
    if spec.chat and spec.eos is None:
        raise InputError("a model for chat ends its answers with EOS, but eos is None")
    targets = spec.lora_targets
    if not isinstance(targets, tuple) or not all(name in LORA_TARGETS for name in targets):
        raise InputError(
            f"lora_targets must be taken from {', '.join(LORA_TARGETS)}, not {targets!r:.60}"
        )
    if len(set(targets)) != len(targets):
        raise InputError(f"lora_targets must not repeat, but are {targets!r}")
    if bool(targets) != bool(spec.lora_rank):
        raise InputError(
            "lora_targets must be empty exactly when lora_rank is 0, "
            f"but lora_rank is {spec.lora_rank!r} and they are {targets!r}"
        )


def check_size(name: str, value: object, *, least: int, most: int = _MOST) -> None:
    """Raise ``InputError`` for anything but a whole number of this range."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{name} must be a whole number from {least} to {most}, not {value!r:.60}")


def _parse_int(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError(f"{name} must be a whole number, not {text!r:.60}")
    return int(text)


PRESETS = {
    "blink": ModelSpec(),
    "blink-two-loop": ModelSpec(loops=2, lora_rank=2, lora_targets=LORA_TARGETS, window=16),
}
"""Named shapes: ``blink`` (1,087 numbers) and the shape of the public two-loop card (1,081)."""


def preset(name: str) -> ModelSpec:
    """Return a named spec, or raise ``InputError`` that lists the names."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
