# SPDX-License-Identifier: MIT
"""The model inside a build, found by its hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from glintfpga.boards.manifest import Manifest
from glintfpga.host.models import image_of, read_float_model, shipped_models
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import plan_of
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.quantize_report import QuantizeReport
from glintfpga.quant.errors import InputError

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model inside a build, as far as it is at hand."""

    model: QuantizedModel | None
    quantized: QuantizeReport | None
    missing: str
    """Text in place of a picture whose model is not at hand."""


def subject_of(manifest: Manifest, named: Path | None) -> Subject:
    """The model of a manifest, found by its sha256 among the shipped ones.

    ``named`` is used instead where given; ``InputError`` when it is not the one that was built in.
    """
    wanted = manifest.image_sha256
    if wanted is None and named is None:
        return Subject(model=None, quantized=None, missing="The device holds no model.")
    for name in [named] if named else map(Path, shipped_models()):
        image = image_of(name, plan=manifest.plan)
        digest = hashlib.sha256(image.data).hexdigest()
        if digest == wanted:
            return Subject(
                model=image.model,
                quantized=_quantized(name, manifest),
                missing="The ranges need the float checkpoint: name it with --model.",
            )
        if named:
            raise InputError(
                f"the model {str(named)!r} has sha256 {digest[:16]}..., the build holds "
                f"{(wanted or 'none')[:16]}...: name the model that was built in"
            )
    digest = (wanted or "")[:16]
    missing = f"The model (sha256 {digest}...) is not a shipped one: name it with --model."
    return Subject(model=None, quantized=None, missing=missing)


def _quantized(name: Path, manifest: Manifest) -> QuantizeReport | None:
    """The report of quantizing it again; None for an image, which has no floats."""
    try:
        checkpoint = read_float_model(name)
    except InputError:
        return None
    return quantize(checkpoint, plan=plan_of(manifest.plan), lanes=manifest.lanes)[1]
