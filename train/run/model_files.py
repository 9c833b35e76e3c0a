# SPDX-License-Identifier: MIT
"""Trained models as files: checkpoints of the chip's models, and of shapes for software only.

The first are ``quant.blink.checkpoint``'s. The others are safetensors files too, with the sizes as
JSON under ``shape`` in the header; no other command reads them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from glintfpga.quant.blink.checkpoint import read_checkpoint, write_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.train.engine.parameters import Vector, checkpoint_of, flatten, views
from glintfpga.train.engine.shape import AnySpec, Shape

__all__ = ["Model", "read_model", "write_model"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """Parameters in the order of ``spec.tensor_shapes()``, and where they come from."""

    spec: AnySpec
    vector: Vector
    note: str = ""
    qk_log2_shift: tuple[int, ...] | None = None
    """As of a ``Checkpoint``; of a shape for software only it is None."""


def write_model(path: Path, model: Model) -> None:
    """Write a model; the file appears whole or not at all. ``EnvironmentProblem`` when it
    cannot, ``InputError`` when a value is not finite."""
    spec = model.spec
    if isinstance(spec, ModelSpec):
        found = checkpoint_of(
            spec, model.vector, note=model.note, qk_log2_shift=model.qk_log2_shift
        )
        write_checkpoint(path, found)
        return
    if not np.isfinite(model.vector).all():
        raise InputError(f"the model for {str(path)!r} has values that are not finite: train again")
    metadata = {"model": "software", "shape": json.dumps(spec.to_json()), "note": model.note}
    write_atomic(path, save(views(spec, model.vector), metadata))


def read_model(path: Path) -> Model:
    """Read what `write_model` wrote. Raises ``InputError`` with the path."""
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            if "shape" in metadata:
                shape = Shape.from_json(parse_object(metadata["shape"].encode()))
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                wanted = shape.tensor_shapes()
                if {name: value.shape for name, value in tensors.items()} != wanted:
                    raise InputError("its tensors are not those of its shape: train it again")
                vector = flatten(shape, tensors)
                return Model(spec=shape, vector=vector, note=metadata.get("note", ""))
    except (OSError, SafetensorError):
        pass  # the reader of checkpoints raises with the reason
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    found = read_checkpoint(path)
    vector = flatten(found.spec, found.tensors)
    return Model(spec=found.spec, vector=vector, note=found.note, qk_log2_shift=found.qk_log2_shift)
