# SPDX-License-Identifier: MIT
"""The row machine as a part of a device: makes core and loader, and the answer to HELLO."""

from dataclasses import dataclass, replace

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.device_config import DeviceConfig
from glintfpga.firmware.wire.protocol import HelloFlag, HelloInfo
from glintfpga.hdl.row.core import Core
from glintfpga.hdl.row.image_loader import ImageLoader

__all__ = ["RowMachine"]


@dataclass(frozen=True)
class RowMachine:
    """P lanes of one number plan; a `glintfpga.hdl.core_port.Machine`."""

    config: DeviceConfig
    image: Image | None = None
    """The model at power-up; None to start without one."""

    def core(self) -> Core:
        return Core(self.config, image=self.image)

    def loader(self) -> ImageLoader:
        return ImageLoader(self.config)

    def hello(self) -> HelloInfo:
        """The answer to HELLO at power-up."""
        if self.image is None:
            return self.config.hello()
        return replace(
            self.config.hello(),
            flags=HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE,
            image_crc=self.image.crc,
            image_header=self.image.header,
        )
