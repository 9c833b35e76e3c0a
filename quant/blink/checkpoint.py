# SPDX-License-Identifier: MIT
"""Float checkpoints: safetensors files whose header carries the model's sizes as strings."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from glintfpga.quant.blink.limits import check_fits
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.bounded import read_head
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.quant.numbers.arrays import FloatArray

__all__ = [
    "MAX_QK_LOG2_SHIFT",
    "Checkpoint",
    "parse_checkpoint",
    "read_checkpoint",
    "write_checkpoint",
]

_MAX_FILE_BYTES = 1 << 20
_MAX_HEADER_BYTES = 1 << 18
_DTYPES = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
"""NumPy has no bfloat16: its bits are the upper half of a float32."""
_LARGEST = 1e6
_WRAPPERS = re.compile(r"\A(?:_orig_mod\.|module\.)+")
"""What torch.compile and DistributedDataParallel put before every name."""
_BAD_VALUES = "train it again, or save it again where its bytes are big-endian"
_OTHER_KINDS = (
    (b"version https://git-lfs", "a Git LFS pointer and not the file: run git lfs pull"),
    (
        b"PK\x03\x04",
        "a zip archive, as PyTorch writes: save the weights with safetensors.torch.save_file",
    ),
    (
        b"\x80\x02",
        "a pickle, which is not opened: save the weights with safetensors.torch.save_file",
    ),
    (b"<", "a web page and not the file: download the file itself"),
    (b"GGUF", "a GGUF file: give the checkpoint it was made of"),
    (b"GLNT", "an image of integers: give the checkpoint it was made of"),
)
"""How files begin that are given for checkpoints by mistake."""

MAX_QK_LOG2_SHIFT = 18
"""Trained ranges of q and k differ by a few octaves."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Trained weights. ``tensors`` has exactly the names and shapes of ``spec.tensor_shapes()``.

    Values are kept as float64. Raises ``InputError`` for a missing, unknown, misshapen or
    non-finite tensor, and for values beyond 1e6, far outside every format of the chip, where the
    products of folding could overflow.
    """

    spec: ModelSpec
    tensors: Mapping[str, FloatArray]
    note: str = ""
    rope_radians_per_token: float = 1.0
    """Angle per token by which RoPE turns the first two dimensions."""
    qk_log2_shift: tuple[int, ...] | None = None
    """Powers of two that move from q to k in each pass, where a training in the device's numbers
    has fixed them; None: ``quantize`` chooses."""

    def __post_init__(self) -> None:
        shapes = self.spec.tensor_shapes()
        for name in sorted(set(self.tensors) - set(shapes)):
            raise InputError(f"unknown tensor {name!r:.60}: the metadata exclude it")
        checked: dict[str, FloatArray] = {}
        for name, shape in shapes.items():
            if name not in self.tensors:
                raise InputError(f"tensor {name!r} is missing: the metadata ask for it")
            stored = np.asarray(self.tensors[name])
            if stored.shape != shape:
                raise InputError(f"tensor {name!r} must have shape {shape}, not {stored.shape}")
            # Before the conversion, which warns of a NaN that signals.
            if not np.isfinite(stored).all():
                raise InputError(f"tensor {name!r} has values that are not finite: {_BAD_VALUES}")
            value = stored.astype(np.float64)
            largest = float(np.abs(value).max())
            if largest > _LARGEST:
                raise InputError(
                    f"tensor {name!r} has a value of magnitude {largest:g}, more than "
                    f"{_LARGEST:g}: {_BAD_VALUES}"
                )
            checked[name] = value
        object.__setattr__(self, "tensors", checked)
        angle = self.rope_radians_per_token
        if not (math.isfinite(angle) and 0 < angle <= math.pi):
            raise InputError(f"rope_radians_per_token must be in (0, pi], not {angle!r}")
        moved = self.qk_log2_shift
        if moved is not None and not (
            len(moved) == self.spec.passes
            and all(abs(power) <= MAX_QK_LOG2_SHIFT for power in moved)
        ):
            raise InputError(
                f"balance must be {self.spec.passes} powers within {MAX_QK_LOG2_SHIFT}, "
                f"not {moved!r:.60}"
            )


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read and check a safetensors file of 16, 32 or 64-bit floats, bfloat16 among them.

    Prefixes that PyTorch's wrappers put before the names of tensors are left out.

    Raises ``InputError`` with the path when the file cannot be read, is not a well-formed
    safetensors file (also: more than 1 MiB, header above 256 KiB, a name twice), or does not hold
    the model that its metadata describe.
    """
    data = read_head(path, _MAX_FILE_BYTES + 1)
    return parse_checkpoint(data, name=os.fspath(path))


def parse_checkpoint(data: bytes, *, name: str) -> Checkpoint:
    """As ``read_checkpoint``, from the bytes of the file; errors begin with its name."""
    try:
        return _parse(data)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint as float32. The file appears whole or not at all.

    Raises ``EnvironmentProblem`` when the place cannot be written to.
    """
    metadata = {
        **checkpoint.spec.to_metadata(),
        "rope_radians_per_token": repr(checkpoint.rope_radians_per_token),
        "note": checkpoint.note,
    }
    if checkpoint.qk_log2_shift is not None:
        metadata["balance"] = ",".join(map(str, checkpoint.qk_log2_shift))
    tensors = {name: value.astype(np.float32) for name, value in checkpoint.tensors.items()}
    write_atomic(Path(path), save(tensors, metadata))


def _parse(data: bytes) -> Checkpoint:
    header = _header(data)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InputError("the safetensors header lacks metadata strings: not a blink checkpoint")
    spec = ModelSpec.from_metadata(metadata)
    check_fits(spec)
    for name, entry in header.items():
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise InputError(
                f"tensor {name!r:.60} must have a type of {', '.join(_DTYPES)}, not {dtype!r:.60}"
            )
    try:
        stored = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise InputError(f"damaged safetensors file ({_one_line(error)})") from error
    tensors: dict[str, npt.NDArray[Any]] = {}
    for wrapped, entry in stored:
        name = _WRAPPERS.sub("", wrapped)
        if name in tensors:
            raise InputError(f"tensor {name!r:.60} is there twice, with and without a prefix")
        tensors[name] = _values(entry["dtype"], entry["data"]).reshape(entry["shape"])
    angle = metadata.get("rope_radians_per_token", "1.0")
    try:
        radians = float(angle)
    except ValueError:
        raise InputError(f"rope_radians_per_token must be a number, not {angle!r:.60}") from None
    moved = metadata.get("balance")
    try:
        qk_log2_shift = (
            None if moved is None else tuple(int(power[:9]) for power in moved.split(","))
        )
    except ValueError:
        raise InputError(f"balance must be whole numbers, not {moved!r:.60}") from None
    return Checkpoint(
        spec=spec,
        tensors=tensors,
        note=metadata.get("note", ""),
        rope_radians_per_token=radians,
        qk_log2_shift=qk_log2_shift,
    )


def _values(dtype: str, data: bytes) -> npt.NDArray[Any]:
    values = np.frombuffer(data, _DTYPES[dtype])
    return (values.astype("<u4") << 16).view("<f4") if dtype == "BF16" else values


def _header(data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    if size > len(data):
        for start, what in _OTHER_KINDS:
            if data.lstrip().startswith(start):
                raise InputError(f"it is {what}")
    if len(data) > _MAX_FILE_BYTES:
        raise InputError(f"more than {_MAX_FILE_BYTES} bytes: too large for a blink checkpoint")
    if len(data) < 8 or size > len(data) - 8:
        raise InputError(f"cut off after {len(data)} bytes: not a safetensors file")
    if size > _MAX_HEADER_BYTES:
        raise InputError(f"header of {size} bytes: at most {_MAX_HEADER_BYTES} are accepted")
    try:
        return parse_object(data[8 : 8 + size])
    except InputError as error:
        raise InputError(f"damaged safetensors header: {error}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
