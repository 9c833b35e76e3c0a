# SPDX-License-Identifier: MIT
"""The whole device without pins: a machine and its service behind a serial line."""

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import SelfTest
from glintfpga.hdl.core_port import Machine
from glintfpga.hdl.link.uart import UARTReceiver, UARTTransmitter
from glintfpga.hdl.service.service import Service

__all__ = ["STATUS", "Device"]

STATUS = data.StructLayout({"idle": 1, "busy": 1, "error": 1, "failed": 1})
"""For LEDs: the core is idle, it is busy, there is no model, the last one failed the self-test."""


class Device(wiring.Component):
    """A byte language model on a UART.

    Parameters
    ----------
    machine : Machine
        Its ``clk_hz`` is the clock of the domain ``sync``, any that `baud_steps` accepts.

    Members
    -------
    rx, tx : In(1), Out(1)
        The line, 8N1, idle high; ``rx`` is asynchronous.
    status : Out(STATUS)
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)
    status: Out(STATUS)

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        machine = self.machine
        clk_hz, bauds = machine.clk_hz, machine.bauds
        m.submodules.receiver = receiver = UARTReceiver(clk_hz=clk_hz, bauds=bauds)
        m.submodules.transmitter = transmitter = UARTTransmitter(clk_hz=clk_hz, bauds=bauds)
        service = Service(
            clk_hz=clk_hz,
            info=machine.info,
            golden_run=machine.golden_run,
            sizes=machine.link_sizes,
        )
        m.submodules.service = service
        m.submodules.machine = machine
        wiring.connect(m, receiver.o, service.rx)
        wiring.connect(m, service.tx, transmitter.i)
        wiring.connect(m, service.core, machine.core)
        wiring.connect(m, service.loader, machine.loader)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            receiver.baud.eq(service.baud),
            self.tx.eq(transmitter.tx),
            transmitter.baud.eq(service.baud),
            service.tx_idle.eq(transmitter.idle),
            self.status.idle.eq(machine.core.idle),
            self.status.busy.eq(~machine.core.idle),
            self.status.error.eq(~service.model),
            self.status.failed.eq(service.self_test >= SelfTest.MEMORY_FAILED),
        ]
        return m
