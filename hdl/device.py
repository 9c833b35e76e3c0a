# SPDX-License-Identifier: MIT
"""The whole device without pins: a core and its service behind a serial line."""

from collections.abc import Sequence

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.protocol import BAUDS, IMAGE_HEADER, HelloFlag, HelloInfo, SelfTest
from glintfpga.hdl.link.uart import UARTReceiver, UARTTransmitter
from glintfpga.hdl.row.core import Core
from glintfpga.hdl.service.service import Service
from glintfpga.quant.blink.plan import PLAN12, NumberPlan

__all__ = ["STATUS", "Device", "hello_info"]

STATUS = data.StructLayout({"idle": 1, "busy": 1, "error": 1, "failed": 1})
"""For lamps: the core rests, it computes, there is no model, the last one failed the self-test."""


def hello_info(
    *, clk_hz: int, lanes: int, plan: NumberPlan, image: Image | None, build_id: bytes
) -> HelloInfo:
    """What a device with these parameters says at power-up.

    ``build_id`` is filled up with zeros. Raises ``ValueError`` when it has more than 8 bytes.
    """
    if len(build_id) > 8:
        raise ValueError(f"build_id must have at most 8 bytes, not {build_id!r}")
    return HelloInfo(
        flags=0 if image is None else HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE,
        lanes=lanes,
        plan=plan.code,
        clock_hz=clk_hz,
        build_id=build_id.ljust(8, b"\0"),
        image_crc=image.crc if image else 0,
        image_header=image.header if image else bytes(IMAGE_HEADER),
    )


class Device(wiring.Component):
    """A byte language model on a UART.

    Parameters
    ----------
    clk_hz : int
        Clock of the domain ``sync``; any that `baud_steps` accepts.
    lanes : int
        P: 2, 4 or 8.
    plan : NumberPlan
        Widths of the numbers.
    image : Image, optional
        The model at power-up; None to start without one.
    build_id : bytes
        Up to eight bytes that HELLO reports.
    bauds : sequence of int
        The rates; simulations may use faster ones.

    Members
    -------
    rx, tx : In(1), Out(1)
        The line, 8N1, idle high; ``rx`` is asynchronous.
    status : Out(STATUS)
    """

    def __init__(
        self,
        *,
        clk_hz: int,
        lanes: int = 4,
        plan: NumberPlan = PLAN12,
        image: Image | None = None,
        build_id: bytes = bytes(8),
        bauds: Sequence[int] = BAUDS,
    ):
        self.clk_hz = clk_hz
        self.lanes = lanes
        self.plan = plan
        self.image = image
        self.build_id = build_id
        self.bauds = tuple(bauds)
        self.info = hello_info(
            clk_hz=clk_hz, lanes=lanes, plan=plan, image=image, build_id=build_id
        )
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "status": Out(STATUS)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.receiver = receiver = UARTReceiver(clk_hz=self.clk_hz, bauds=self.bauds)
        transmitter = UARTTransmitter(clk_hz=self.clk_hz, bauds=self.bauds)
        m.submodules.transmitter = transmitter
        m.submodules.service = service = Service(clk_hz=self.clk_hz, plan=self.plan, info=self.info)
        m.submodules.core = core = Core(lanes=self.lanes, plan=self.plan, image=self.image)
        wiring.connect(m, service.tx, transmitter.i)
        connect_core(m, service, core)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            receiver.baud.eq(service.baud),
            service.rx_valid.eq(receiver.valid),
            service.rx_data.eq(receiver.data),
            service.rx_error.eq(receiver.error),
            self.tx.eq(transmitter.tx),
            transmitter.baud.eq(service.baud),
            service.tx_idle.eq(transmitter.idle),
            self.status.idle.eq(core.idle),
            self.status.busy.eq(~core.idle),
            self.status.error.eq(~service.model),
            self.status.failed.eq(service.self_test >= SelfTest.MEMORY_FAILED),
        ]
        return m


def connect_core(m: Module, service: Service, core: Core) -> None:
    """Connect a service to a core."""
    wiring.connect(m, service.core_i, core.i)
    wiring.connect(m, service.core_o, core.o)
    wiring.connect(m, service.seed, core.i_seed)
    wiring.connect(m, service.load, core.load)
    m.d.comb += [
        core.clear.eq(service.core_clear),
        core.temperature.eq(service.temperature),
        core.logit_id.eq(service.logit_id),
        service.core_idle.eq(core.idle),
        service.logit.eq(core.logit),
        service.eos.eq(core.config_eos),
        service.vocab.eq(core.config_vocab),
    ]
