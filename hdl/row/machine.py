# SPDX-License-Identifier: MIT
"""The row machine as a part of a device: makes core and loader, and the answer to HELLO."""

from dataclasses import dataclass

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.protocol import IMAGE_HEADER, HelloFlag, HelloInfo
from glintfpga.hdl.row.core import Core
from glintfpga.hdl.row.image_loader import ImageLoader
from glintfpga.quant.blink.plan import PLAN12, NumberPlan

__all__ = ["RowMachine"]


@dataclass(frozen=True, kw_only=True)
class RowMachine:
    """P lanes of one number plan; a `glintfpga.hdl.core_port.Machine`."""

    lanes: int = 4
    """P: 2, 4 or 8."""
    plan: NumberPlan = PLAN12
    """Widths of the numbers."""
    image: Image | None = None
    """The model at power-up; None to start without one."""

    def core(self) -> Core:
        return Core(lanes=self.lanes, plan=self.plan, image=self.image)

    def loader(self) -> ImageLoader:
        limits = HelloInfo(lanes=self.lanes, plan=self.plan.code)
        return ImageLoader(plan=self.plan, limits=limits)

    def hello_info(self, *, clk_hz: int, build_id: bytes) -> HelloInfo:
        """What a device with this machine reports at power-up.

        ``build_id`` is filled up with zeros. Raises ``ValueError`` when it has more than 8 bytes.
        """
        if len(build_id) > 8:
            raise ValueError(f"build_id must have at most 8 bytes, not {build_id!r}")
        image = self.image
        return HelloInfo(
            flags=0 if image is None else HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE,
            lanes=self.lanes,
            plan=self.plan.code,
            clock_hz=clk_hz,
            build_id=build_id.ljust(8, b"\0"),
            image_crc=image.crc if image else 0,
            image_header=image.header if image else bytes(IMAGE_HEADER),
        )
