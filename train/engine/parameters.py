# SPDX-License-Identifier: MIT
"""All parameters of a model as one float32 vector, for optimizers and averages."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.spec import DIM, ModelSpec
from glintfpga.train.engine.shape import AnySpec

__all__ = ["Vector", "checkpoint_of", "flatten", "initial", "initial_spread", "views"]

Vector = npt.NDArray[np.float32]


def initial_spread(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return mean and standard deviation of a fresh tensor.

    Gains are 1, loop embeddings and the B of a LoRA 0, so that all loops start equal. Projections
    keep the size of their input. Embeddings of more dimensions start smaller, for logits that do
    not grow with them.
    """
    if ".norm" in f".{name}" or name == "logit_scale":
        return 1.0, 0.0
    if name == "loop_embedding" or name.endswith(".b"):
        return 0.0, 0.0
    if name == "embedding" and shape[-1] == DIM:
        return 0.0, 0.5
    return 0.0, shape[-1] ** -0.5


def initial(
    spec: AnySpec, rng: np.random.Generator, embedding: npt.ArrayLike | None = None
) -> Vector:
    """Return fresh parameters, with ``embedding`` (vocab, 3) where one is given."""
    tensors: dict[str, npt.ArrayLike] = {}
    for name, shape in spec.tensor_shapes().items():
        mean, deviation = initial_spread(name, shape)
        tensors[name] = rng.normal(mean, deviation, shape)
    if embedding is not None:
        tensors["embedding"] = embedding
    return flatten(spec, tensors)


def flatten(spec: AnySpec, tensors: Mapping[str, npt.ArrayLike]) -> Vector:
    """Return the tensors one after another, in the order of ``spec.tensor_shapes()``."""
    parts = [np.ravel(np.asarray(tensors[name], np.float32)) for name in spec.tensor_shapes()]
    return np.concatenate(parts)


def views(spec: AnySpec, flat: Vector) -> dict[str, Vector]:
    """Return the tensors by name; they share the memory of ``flat``."""
    if flat.shape != (spec.param_count,):
        raise ValueError(f"flat must have shape ({spec.param_count},), not {flat.shape}")
    result, start = {}, 0
    for name, shape in spec.tensor_shapes().items():
        end = start + math.prod(shape)
        result[name] = flat[start:end].reshape(shape)
        start = end
    return result


def checkpoint_of(
    spec: ModelSpec, flat: Vector, *, note: str = "", qk_log2_shift: tuple[int, ...] | None = None
) -> Checkpoint:
    """Return what ``quant.blink.checkpoint.write_checkpoint`` writes. Raises ``InputError`` for
    NaNs."""
    tensors = {name: value.astype(np.float64) for name, value in views(spec, flat).items()}
    return Checkpoint(spec=spec, tensors=tensors, note=note, qk_log2_shift=qk_log2_shift)
