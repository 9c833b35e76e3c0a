# SPDX-License-Identifier: MIT
"""A software device as a line: it works while the host waits in `SoftwareLine.read`."""

import time
from collections.abc import Callable
from functools import partial

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.device.numerics import float_model, reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.device_config import DeviceConfig
from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost
from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.limits import DEFAULT_LANES
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["SoftwareLine", "open_software_line"]

_NAP_S = 0.001


class SoftwareLine(ByteLine):
    """A software device in place of a board and its serial port. It has all rates.

    Parameters: the device, what the user calls it, and a clock in seconds (for tests).
    """

    def __init__(
        self,
        device: SoftwareDevice,
        *,
        name: str = "ref:",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = device
        self.name = name
        self._clock = clock
        self._ready = bytearray()
        self._closed = False

    def clock(self) -> float:
        return self._clock()

    def read(self, size: int, timeout: float) -> bytes:
        self._check()
        deadline = self._clock() + timeout
        while not self._ready:
            now = self._clock()
            self._ready += self.device.poll(now)
            if self._ready or now >= deadline:
                break
            if self.device.idle:
                time.sleep(_NAP_S)
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def write(self, data: bytes) -> None:
        self._check()
        self.device.feed(data, self._clock())

    def set_baud(self, baud: int) -> bool:
        return True

    def close(self) -> None:
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise LinkLost("the port of the software device is closed: open it again")


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
        SoftwareDevice(model=model, load=load, sampler=Sampler(), config=config),
        name=f"{kind}:",
    )
