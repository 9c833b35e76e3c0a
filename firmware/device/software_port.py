# SPDX-License-Identifier: MIT
"""Software devices as ports: read, write and close in place of a serial line."""

import time
from collections.abc import Callable
from functools import partial

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.device.numerics import float_model, reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.errors import DeviceError, InputError
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["SoftwarePort", "open_software_port"]

_NAP_S = 0.001


class SoftwarePort:
    """A software device behind the calls of a serial port. It works while `read` waits.

    Parameters: the device, and a clock in seconds (for tests).
    """

    def __init__(
        self, device: SoftwareDevice, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.device = device
        self._clock = clock
        self._ready = bytearray()
        self._closed = False

    def read(self, size: int, timeout: float) -> bytes:
        """1..size bytes as soon as there are any, or none after ``timeout`` seconds."""
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
        """Hand all of ``data`` to the device."""
        self._check()
        self.device.feed(data, self._clock())

    def close(self) -> None:
        """Forget the device; closing twice is harmless."""
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise DeviceError("the port of the software device is closed: open it again")


def open_software_port(
    kind: str, *, image: bytes, lanes: int = 4, checkpoint: Checkpoint | None = None
) -> SoftwarePort:
    """A ``"ref"`` device (exact for ``lanes``) or a ``"float"`` one, which takes no LOAD.

    ``image`` is what it holds at power-up: the bytes of a `.glint` file. ``"float"`` needs the
    ``checkpoint`` that the image was quantized from.

    Raises ``InputError`` for a bad image, P, kind, or a checkpoint of another spec.
    """
    plan = Image.from_bytes(image).model.plan.code
    if kind == "ref":
        load = partial(reference_model, lanes=lanes, plan=plan)
        model = load(image)
    elif kind == "float":
        if checkpoint is None:
            raise InputError("float: needs a checkpoint: name the .safetensors of the model")
        load, model = None, float_model(image, checkpoint)
    else:
        raise InputError(f"unknown software device {kind!r}: use 'ref' or 'float'")
    return SoftwarePort(
        SoftwareDevice(
            model=model,
            load=load,
            sampler=Sampler(),
            lanes=lanes,
            plan=plan,
            build_id=kind.encode().ljust(8, b"\0"),
        )
    )
