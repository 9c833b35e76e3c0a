# SPDX-License-Identifier: MIT
"""From the name of a model to its image: a shipped name, a file, a folder, or stdin."""

import functools
import logging
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from glintfpga.host.console.progress import counting
from glintfpga.host.console.text import one_line
from glintfpga.host.files.named import MAX_BYTES, read_bytes
from glintfpga.quant.blink.plan import DEFAULT_PLAN
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import read_stream

if TYPE_CHECKING:
    from glintfpga.firmware.blink.image import Image
    from glintfpga.quant.blink.checkpoint import Checkpoint
    from glintfpga.quant.blink.quantize_report import QuantizeReport

__all__ = [
    "DEFAULT_MODEL",
    "STDIN",
    "find_model",
    "image_of",
    "is_image",
    "named",
    "read_float_model",
    "read_model",
    "shipped_models",
    "title_of",
    "warn_of",
]

DEFAULT_MODEL = "blink-base"
STDIN = Path("-")
IMAGE_MAGIC = b"GLNT"

IN_FOLDERS = (
    "merge/champion.safetensors",
    "best.safetensors",
    "model.safetensors",
    "model.glint",
)
"""The model of a folder is the first of these that is there: the winner of the tournament of a
run, the best of its training, the checkpoint of a release."""

_log = logging.getLogger("glintfpga")


def shipped_models() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.parent.name for path in _release().glob("*/model.safetensors"))


def find_model(name: Path | None) -> Path:
    """The file behind a shipped name, a file, a folder, or nothing (the default model).

    A folder is one that ``train`` or ``release`` wrote; the chosen file is logged.
    A file in the working folder has priority over a shipped name. Raises ``InputError`` when there
    is no such model.
    """
    wanted = DEFAULT_MODEL if name is None else str(name)
    if name is not None and name.is_file():
        return name
    if name is not None and (found := _in_folder(name)):
        _log_choice(name, found.relative_to(name))
        return found
    if wanted in shipped_models():
        return _release() / wanted / "model.safetensors"
    if name is not None and name.is_dir():
        wants = ", ".join(IN_FOLDERS)
        raise InputError(f"the folder {wanted!r} holds no model (none of {wants}); name a file")
    names = ", ".join(shipped_models()) or "none"
    raise InputError(
        f"there is no model {wanted!r}; give a file, a folder or a shipped name ({names})"
    )


def title_of(name: Path | None) -> str:
    """What to call a model: its file's name, or its folder's where that tells more."""
    if name is None:
        return DEFAULT_MODEL
    if name == STDIN:
        return "stdin"
    if name.is_dir():
        return name.resolve().name or DEFAULT_MODEL
    if name.stem == "model" and name.parent.name:
        return name.parent.name
    return name.stem


def named(model_id: str) -> str:
    """What to call the model of an image with this id: a shipped name, or some of the id."""
    from glintfpga.firmware.blink.image_format import model_id_of

    for name in shipped_models():
        image = _release() / name / "model.glint"
        if image.is_file() and model_id_of(image.read_bytes()) == model_id:
            return name
    return f"model {model_id[:16]}"


def read_model(name: Path | None) -> tuple[Path, bytes]:
    """The file behind a model, or ``STDIN``, and its bytes. Raises ``InputError``."""
    if name == STDIN:
        return STDIN, _piped(getattr(sys.stdin, "buffer", None))
    path = find_model(name)
    data = read_bytes(path, what="model")
    if not data:
        raise InputError(f"the model {str(path)!r} is empty")
    return path, data


@functools.lru_cache(maxsize=1)
def _piped(stream: BinaryIO | None) -> bytes:
    """All of standard input, which can be read once and may be asked for again."""
    if stream is None or stream.isatty():
        raise InputError("the model '-' is standard input: pipe a model into it")
    data = read_stream(stream, MAX_BYTES, "the model on standard input")
    if not data:
        raise InputError("the model on standard input is empty")
    return data


def image_of(name: Path | None, *, plan: int | None = None) -> "Image":
    """The image of a model; checkpoints are quantized, to the number plan of this code.

    Without ``plan`` an image stays as it is and a checkpoint gets the default one.

    Raises ``InputError`` when the file is not a model or an image has another plan.
    """
    from glintfpga.firmware.blink.image import Image

    path, data = read_model(name)
    if not data.startswith(IMAGE_MAGIC):
        if (released := _released_image(path)) and plan in (None, released.model.plan.code):
            return released
        return _image_of_checkpoint(path, data, plan or DEFAULT_PLAN.code)
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
    """Warn on stderr when quantizing a model may have ruined it."""
    if report.doubt:
        _log.warning("warning: %s: %s", one_line(str(name)), report.doubt)


@functools.lru_cache(maxsize=1)
def _image_of_checkpoint(path: Path, data: bytes, plan: int) -> "Image":
    """Cached, as ``ref:`` needs it at its start and the session to describe it."""
    from glintfpga.firmware.blink.image import Image
    from glintfpga.quant.blink.plan import plan_of
    from glintfpga.quant.blink.quantize import quantize

    with counting(f"quantizing {path.name}"):
        model, report = quantize(_checkpoint(path, data), plan=plan_of(plan))
        image = Image.from_model(model)
    warn_of(report, path)
    return image


def is_image(name: Path | None) -> bool:
    """Whether a model is an image, which has no floats."""
    return read_model(name)[1].startswith(IMAGE_MAGIC)


def read_float_model(name: Path | None) -> "Checkpoint":
    """The checkpoint of a model. Raises ``InputError`` for an image, which has no floats."""
    path, data = read_model(name)
    if data.startswith(IMAGE_MAGIC):
        raise InputError(f"{str(path)!r} is an image of integers; name its .safetensors checkpoint")
    return _checkpoint(path, data)


def _release() -> Path:
    return Path(str(resources.files("glintfpga.train"))) / "release"


def _in_folder(folder: Path) -> Path | None:
    found = (folder / file for file in IN_FOLDERS)
    return next((path for path in found if path.is_file()), None)


@functools.cache
def _log_choice(folder: Path, file: Path) -> None:
    """Read once per command."""
    _log.info("%s: taking its %s", folder, file)


def _released_image(path: Path) -> "Image | None":
    """The image of a shipped checkpoint, which comes quantized.

    Calibration is float arithmetic, and the same everywhere only by chance.
    """
    from glintfpga.firmware.blink.image import Image

    released = path.with_suffix(".glint")
    if not (path.is_relative_to(_release()) and released.exists()):
        return None
    return Image.read(released)


def _checkpoint(path: Path, data: bytes) -> "Checkpoint":
    from glintfpga.quant.blink.checkpoint import parse_checkpoint

    return parse_checkpoint(data, name=str(path))
