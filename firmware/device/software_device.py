# SPDX-License-Identifier: MIT
"""The software device: bytes in, bytes out, with the rules of the gateware and no clock."""

from collections.abc import Callable
from dataclasses import replace

from glintfpga.firmware.device.executor import CommandExecutor, StepOutcome
from glintfpga.firmware.device.loaded_model import LoadedModel
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.messages import Counters
from glintfpga.firmware.wire.protocol import BAUDS, FALLBACK_S, HelloFlag, payload_limit
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["SoftwareDevice"]


class SoftwareDevice:
    """A device without gateware.

    Args:
        model: what is loaded at power-up, or None.
        load: turns the bytes of an image into a model, raising ``InputError``; None refuses LOAD.
        sampler: the noise stream; it outlives models.
        info: what the hello reports of the device without a model.
    """

    def __init__(
        self,
        *,
        model: LoadedModel | None,
        load: Callable[[bytes], LoadedModel] | None,
        sampler: Sampler,
        info: HelloInfo,
    ) -> None:
        self._info = info
        self._default = model
        self._endpoint = Endpoint(Role.DEVICE, info=self._hello)
        self._executor = CommandExecutor(self._endpoint, model=model, load=load, sampler=sampler)
        self._work = self._executor.run()
        self._session = 0
        self._worked = 0.0
        self.idle = True
        """Whether the last `poll` found nothing to work on."""

    @property
    def counters(self) -> Counters:
        """As COUNTERS reports them."""
        return self._executor.totals

    @property
    def baud_index(self) -> int:
        """Into ``BAUDS``: what a device with a line would use now."""
        return self._executor.baud_index

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the line, cut anywhere. ``now`` as in `Endpoint`."""
        self._endpoint.feed(data, now)
        if self._session != self._endpoint.sessions:
            self._session = self._endpoint.sessions
            self._work = self._executor.run()

    def poll(self, now: float, *, steps: int = 1) -> bytes:
        """Work for at most ``steps`` tokens, then return the frames to transmit."""
        self._executor.now = now
        self._use_rate()
        self.idle = False
        while steps and not self.idle:
            self.idle = next(self._work) is StepOutcome.BLOCKED
            if not self.idle:
                self._worked = now
            steps -= 1
        if min(self._endpoint.silence(now), now - self._worked) >= FALLBACK_S:
            self._executor.switch = None
            self._executor.baud_index = 0
        self._use_rate()
        return self._endpoint.poll(now)

    def fall_back(self) -> None:
        """Go to 115200 baud, as `FALLBACK_ERRORS` stop-bit errors make a device do."""
        self._executor.switch = None
        self._executor.baud_index = 0

    def _use_rate(self) -> None:
        self._endpoint.payload_limit = payload_limit(BAUDS[self.baud_index])

    def _hello(self) -> HelloInfo:
        model = self._executor.model
        flags = 0
        if model is not None:
            flags = HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE * (model is self._default)
        return replace(
            self._info,
            flags=flags,
            baud_index=self.baud_index,
            self_test=self._executor.self_test,
            image_crc=model.image_crc if model else 0,
            image_header=model.image_header if model else b"",
        )
