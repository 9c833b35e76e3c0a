# SPDX-License-Identifier: MIT
"""Opens ``ref:`` and ``float:``: a software device with a blink model in it."""

from functools import partial

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.numerics import float_model, reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.device.software_line import SoftwareLine
from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.limits import DEFAULT_LANES
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["open_software_line"]


def open_software_line(
    kind: str,
    *,
    image: bytes,
    lanes: int = DEFAULT_LANES,
    checkpoint: Checkpoint | None = None,
) -> SoftwareLine:
    """A ``"ref"`` device (exact for ``lanes``) or a ``"float"`` one, which refuses LOAD.

    ``image`` is what is loaded at power-up: the bytes of a `.glint` file. ``"float"`` needs the
    ``checkpoint`` that the image was quantized from.

    Raises ``InputError`` for a bad image, P, kind, or a checkpoint of another spec.
    """
    plan = Image.from_bytes(image).model.plan
    config = DeviceConfig(lanes=lanes, plan=plan, build_id=kind[:8].encode())
    if kind == "ref":
        load = partial(reference_model, config=config)
        model = load(image)
    elif kind == "float":
        if checkpoint is None:
            raise InputError("float: needs a checkpoint: name the .safetensors of the model")
        load, model = None, float_model(image, checkpoint)
    else:
        raise InputError(f"unknown software device {kind!r}: use 'ref' or 'float'")
    return SoftwareLine(
        SoftwareDevice(model=model, load=load, sampler=Sampler(), info=config.hello()),
        name=f"{kind}:",
    )
