# SPDX-License-Identifier: MIT
"""The row machine as a part of a device: core and image loader, joined by the load port."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.golden import GOLDEN_TOKENS
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import HEADER_BYTES
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import HelloFlag
from glintfpga.hdl.core_port import CorePort, GoldenRun, LoaderPort, MachinePort
from glintfpga.hdl.hello_layout import image_at
from glintfpga.hdl.link_sizes import LARGE, SMALL
from glintfpga.hdl.row.core import Core
from glintfpga.hdl.row.image_loader import ImageLoader

__all__ = ["RowMachine", "power_up_info"]


def power_up_info(config: DeviceConfig, image: Image | None) -> HelloInfo:
    """The answer to HELLO at power-up; without a model the header of an image is only room."""
    if image is None:
        return replace(config.hello(), image_header=bytes(HEADER_BYTES))
    return replace(
        config.hello(),
        flags=HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE,
        image_crc=image.crc,
        image_header=image.header,
    )


class RowMachine(wiring.Component):
    """P lanes of one number plan; a `glintfpga.hdl.core_port.Machine`.

    Parameters
    ----------
    config : DeviceConfig
        Lanes, plan, clock, rates of the line.
    image : Image, optional
        The model at power-up; None to start without one.

    Members
    -------
    Those of `MachinePort`.
    """

    golden_run = GoldenRun(tokens=GOLDEN_TOKENS, limit_ms=64)
    """The slowest model takes about 10 ms."""

    def __init__(self, config: DeviceConfig, image: Image | None = None) -> None:
        self.config = config
        self.image = image
        # Eight lanes leave no block RAM for more.
        self.link_sizes = LARGE if config.lanes < 8 else SMALL
        super().__init__(MachinePort.flip())

    @property
    def clk_hz(self) -> int:
        return self.config.clock_hz

    @property
    def bauds(self) -> tuple[int, ...]:
        return self.config.bauds

    @property
    def info(self) -> HelloInfo:
        return power_up_info(self.config, self.image)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = Core(self.config, image=self.image)
        m.submodules.loader = loader = ImageLoader(self.config, image_at=image_at(self.info))
        connect(m, loader.load, core.load)
        _pass_on(m, CorePort, self.core, core)
        _pass_on(m, LoaderPort, self.loader, loader)
        return m


def _pass_on(m: Module, ports: wiring.Signature, outer: Any, inner: Any) -> None:
    """Connect ports, seen from outside, to a component that has them and others."""
    for name, member in ports.members.items():
        out, in_ = getattr(outer, name), getattr(inner, name)
        if member.is_signature:
            connect(m, flipped(out), in_)
        elif member.flow is Out:
            m.d.comb += in_.eq(out)
        else:
            m.d.comb += out.eq(in_)
