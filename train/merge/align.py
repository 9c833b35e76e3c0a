# SPDX-License-Identifier: MIT
"""Exact symmetries of blink, and the one that brings a model closest to another.

The same function has many sets of weights: hidden units in another order, dimensions of x in
another order or with another sign, and so on. Averages of two models make sense only between
weights that mean the same, so one of them is brought into the other's form first (Ainsworth, Hayase
and Srinivasa, "Git Re-Basin", 2022, which matches weights in the same way: one space at a time, by
linear assignment, until nothing changes).

Each axis of a tensor lies in a *space*, and a symmetry is one signed permutation per space:

- ``residual``: the three dimensions of x; gains follow without sign.
- ``hidden`` of a block: gate rows only change places, up and down may change sign together.
- ``qk`` of a block: RoPE turns dimensions 0 and 1 together, so they share a sign; 2 has its own.
- ``vo`` of a block: the three dimensions between V and O.
- ``rank`` of a LoRA: between A and B.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.spec import DIM, ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["Axis", "SignedOrder", "Symmetry", "align", "axes_of", "distance", "transformed"]

_ROUNDS = 20


@dataclass(frozen=True)
class Axis:
    """The space of one axis of a tensor, and whether the signs of a symmetry reach it."""

    space: str
    signed: bool = True


@dataclass(frozen=True)
class SignedOrder:
    """``new[i] = sign[i] * old[order[i]]``."""

    order: npt.NDArray[np.int64]
    sign: FloatArray

    @classmethod
    def identity(cls, size: int) -> "SignedOrder":
        """What changes nothing."""
        return cls(np.arange(size), np.ones(size))


Symmetry = Mapping[str, SignedOrder]
"""A signed permutation for each space that changes."""

Tensors = Mapping[str, FloatArray]


def axes_of(spec: ModelSpec) -> dict[str, tuple[Axis | None, ...]]:
    """The space of each axis of each tensor; None: its entries keep their places."""
    residual, gain = Axis("residual"), Axis("residual", signed=False)
    axes: dict[str, tuple[Axis | None, ...]] = {
        "embedding": (None, residual),
        "loop_embedding": (None, residual),
        "logit_scale": (None,),
        "norm.final": (gain,),
    }
    for prefix in ("", *spec.own_blocks):
        qk, vo, hidden = (Axis(f"{prefix}{name}") for name in ("qk", "vo", "hidden"))
        axes |= {
            f"{prefix}attention.q": (qk, residual),
            f"{prefix}attention.k": (qk, residual),
            f"{prefix}attention.v": (vo, residual),
            f"{prefix}attention.o": (residual, vo),
            f"{prefix}ffn.gate": (Axis(hidden.space, signed=False), residual),
            f"{prefix}ffn.up": (hidden, residual),
            f"{prefix}ffn.down": (residual, hidden),
            f"{prefix}norm.attention": (gain,),
            f"{prefix}norm.ffn": (gain,),
        }
    for loop, name in itertools.product(range(spec.loops), spec.lora_targets):
        base = f"{'attention' if name in ('q', 'k', 'v', 'o') else 'ffn'}.{name}"
        out, into = axes[base]
        rank = Axis(f"lora.{loop}.{name}")
        axes[f"lora.{loop}.{name}.a"] = (rank, into)
        axes[f"lora.{loop}.{name}.b"] = (out, rank)
    return axes


def transformed(spec: ModelSpec, tensors: Tensors, symmetry: Symmetry) -> dict[str, FloatArray]:
    """The tensors in another form; the network computes the same."""
    result = {}
    for name, axes in axes_of(spec).items():
        value = tensors[name]
        for number, axis in enumerate(axes):
            if axis is not None and axis.space in symmetry:
                value = _along(value, number, axis, symmetry[axis.space])
        result[name] = value
    return result


def align(reference: Checkpoint, other: Checkpoint) -> Checkpoint:
    """``other`` in the form that is closest to ``reference``; it computes the same.

    All 48 signed orders of x are tried, and for each the other spaces are matched. Raises
    ``InputError`` when the shapes differ.
    """
    spec = reference.spec
    if other.spec != spec or other.rope_radians_per_token != reference.rope_radians_per_token:
        raise InputError(f"models of two shapes do not merge: {spec} and {other.spec}")
    found = min(
        (
            _matched(spec, reference.tensors, transformed(spec, other.tensors, {"residual": turn}))
            for turn in _signed_orders(DIM)
        ),
        key=lambda tensors: distance(reference.tensors, tensors),
    )
    return Checkpoint(
        spec=spec,
        tensors=found,
        note=other.note,
        rope_radians_per_token=other.rope_radians_per_token,
    )


def distance(a: Tensors, b: Tensors) -> float:
    """Square root of the sum of squared differences over all tensors."""
    return float(np.sqrt(sum(np.square(a[name] - b[name]).sum() for name in a)))


def _matched(spec: ModelSpec, reference: Tensors, other: dict[str, FloatArray]) -> Tensors:
    """``other`` with all spaces but ``residual`` matched, one after another."""
    axes = axes_of(spec)
    spaces = {axis.space for of_tensor in axes.values() for axis in of_tensor if axis}
    places = {
        space: [
            (name, number, axis)
            for name, of_tensor in axes.items()
            for number, axis in enumerate(of_tensor)
            if axis is not None and axis.space == space
        ]
        for space in sorted(spaces - {"residual"})
    }
    for _ in range(_ROUNDS):
        changed = False
        for space, of_space in places.items():
            best = _best(space, of_space, reference, other)
            if best is None:
                continue
            for name, number, axis in of_space:
                other[name] = _along(other[name], number, axis, best)
            changed = True
        if not changed:
            break
    return other


def _best(
    space: str,
    places: list[tuple[str, int, Axis]],
    reference: Tensors,
    other: Tensors,
) -> SignedOrder | None:
    """The signed order that makes the sum of products largest; None when there is no gain."""
    size = reference[places[0][0]].shape[places[0][1]]
    signed, unsigned = np.zeros((size, size)), np.zeros((size, size))
    for name, number, axis in places:
        mine, its = (np.moveaxis(t[name], number, 0).reshape(size, -1) for t in (reference, other))
        table = signed if axis.signed else unsigned
        table += mine @ its.T
    if space.endswith("qk"):
        order, sums = np.arange(size), np.diagonal(signed).copy()
        sums[:2] = sums[:2].sum()
    else:
        _, order = linear_sum_assignment(unsigned + np.abs(signed), maximize=True)
        sums = signed[np.arange(size), order]
    found = SignedOrder(order, np.where(sums < 0, -1.0, 1.0))
    gain = (unsigned + signed * found.sign[:, None])[np.arange(size), order].sum()
    return found if gain > np.trace(unsigned + signed) + 1e-12 else None


def _along(value: FloatArray, number: int, axis: Axis, change: SignedOrder) -> FloatArray:
    taken = np.take(value, change.order, axis=number)
    if not axis.signed:
        return taken
    shape = [1] * value.ndim
    shape[number] = -1
    return taken * change.sign.reshape(shape)


def _signed_orders(size: int) -> list[SignedOrder]:
    return [
        SignedOrder(np.array(order), np.array(sign))
        for order in itertools.permutations(range(size))
        for sign in itertools.product((1.0, -1.0), repeat=size)
    ]
