# SPDX-License-Identifier: MIT
"""From what a user calls a model to an image: a shipped name, a checkpoint or a .glint file."""

import logging
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from glintfpga.host.files import read_bytes
from glintfpga.host.progress import counting
from glintfpga.host.text import one_line
from glintfpga.quant.errors import InputError

if TYPE_CHECKING:
    from glintfpga.firmware.image import Image
    from glintfpga.quant.checkpoint import Checkpoint
    from glintfpga.quant.quantize_report import QuantizeReport

__all__ = [
    "DEFAULT_MODEL",
    "find_model",
    "image_of",
    "is_image",
    "read_float_model",
    "shipped_models",
    "title_of",
    "warn_of",
]

_log = logging.getLogger("glintfpga")

DEFAULT_MODEL = "blink-base"
IMAGE_MAGIC = b"GLNT"


def shipped_models() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.parent.name for path in _release().glob("*/model.safetensors"))


def find_model(name: Path | None) -> Path:
    """The file behind a shipped name, a path, or nothing (the default model).

    Raises ``InputError`` when there is no such file; a file in the working folder wins.
    """
    wanted = DEFAULT_MODEL if name is None else str(name)
    if name is not None and name.is_file():
        return name
    if wanted in shipped_models():
        return _release() / wanted / "model.safetensors"
    names = ", ".join(shipped_models()) or "none"
    raise InputError(f"there is no model {wanted!r}; give a file or a shipped name ({names})")


def title_of(name: Path | None) -> str:
    """What to call a model: its file's name, or its folder's where the file is a model.*."""
    path = Path(DEFAULT_MODEL) if name is None else name
    if path.stem == "model" and name is not None and path.resolve().parent.name:
        return path.resolve().parent.name
    return path.stem


def image_of(name: Path | None, *, plan: int | None = None) -> "Image":
    """The image of a model; checkpoints are quantized, to the number plan of this code.

    Without ``plan`` an image stays as it is and a checkpoint gets the 12-bit plan.

    Raises ``InputError`` when the file is not a model or an image has another plan.
    """
    from glintfpga.firmware.image import Image

    path = find_model(name)
    # A released model comes quantized: calibration is float arithmetic, and the same everywhere
    # only by chance.
    released = path.with_suffix(".glint")
    if path.is_relative_to(_release()) and plan in (None, 12) and released.exists():
        path = released
    data = read_bytes(path, what="model")
    if not data.startswith(IMAGE_MAGIC):
        return _image_of_checkpoint(path, data, plan or 12)
    try:
        image = Image.from_bytes(data)
    except InputError as error:
        raise InputError(f"{str(path)!r}: {error}") from error
    if plan is not None and image.model.plan.code != plan:
        raise InputError(
            f"{str(path)!r} has {image.model.plan.code}-bit numbers but {plan} bits are needed; "
            "use its checkpoint, which is quantized as needed"
        )
    return image


def warn_of(report: "QuantizeReport", name: Path) -> None:
    """Say on stderr when quantizing a model may have ruined it."""
    if report.doubt:
        _log.warning("warning: %s: %s", one_line(str(name)), report.doubt)


@lru_cache(maxsize=1)
def _image_of_checkpoint(path: Path, data: bytes, plan: int) -> "Image":
    """Kept, as ``ref:`` asks for what it starts with and the session for what it holds."""
    from glintfpga.firmware.image import Image
    from glintfpga.quant.plan import plan_of
    from glintfpga.quant.quantize import quantize

    with counting(f"quantizing {path.name}"):
        model, report = quantize(_checkpoint(path, data), plan=plan_of(plan))
        image = Image.from_model(model)
    warn_of(report, path)
    return image


def is_image(name: Path | None) -> bool:
    """Whether a model is an image, which has no floats."""
    return read_bytes(find_model(name), what="model").startswith(IMAGE_MAGIC)


def read_float_model(name: Path | None) -> "Checkpoint":
    """The checkpoint of a model. Raises ``InputError`` for an image, which has no floats."""
    path = find_model(name)
    data = read_bytes(path, what="model")
    if data.startswith(IMAGE_MAGIC):
        raise InputError(f"{str(path)!r} is an image of integers; name its .safetensors checkpoint")
    return _checkpoint(path, data)


def _release() -> Path:
    return Path(str(resources.files("glintfpga.train"))) / "release"


def _checkpoint(path: Path, data: bytes) -> "Checkpoint":
    from glintfpga.quant.checkpoint import read_checkpoint

    if not data:
        raise InputError(f"the model {str(path)!r} is empty")
    return read_checkpoint(path)
