# SPDX-License-Identifier: MIT
"""What the device reports of itself in HELLO, byte by byte."""

from amaranth.hdl import Elaboratable, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag, SelfTest
from glintfpga.hdl.hello_layout import BAUD_AT, FLAGS_AT, MAX_INFO, SELF_TEST_AT, image_at
from glintfpga.hdl.primitives.memory import ReadPort, WritePort, outside_reset

__all__ = ["HelloStore"]


class HelloStore(wiring.Component):
    """Memory of the `HelloInfo` bytes; the image's part is written while an image is loaded.

    Flags, baud rate and self-test are not stored but come from their ports. Without a model the
    info ends before the image's field, whatever a failed load has left there.

    Latency: 1 cycle from ``address`` to ``data``.

    Parameters
    ----------
    info : HelloInfo
        At power-up, with room for the header of an image.

    Members
    -------
    read : In(ReadPort)
        Do not read while an image is being loaded into the same bytes.
    length : Out(range)
        Bytes of the info.
    write : In(WritePort)
    model, default_image : In(1)
        For the flags.
    baud : In(range)
        Index of the rate.
    self_test : In(SelfTest)
    """

    read: In(ReadPort(MAX_INFO))
    length: Out(range(MAX_INFO + 1))
    write: In(WritePort(MAX_INFO))
    model: In(1)
    default_image: In(1)
    baud: In(range(len(BAUDS)))
    self_test: In(SelfTest)

    def __init__(self, *, info: HelloInfo):
        self.info = info
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        data = self.info.encode()
        if len(data) > MAX_INFO:
            raise ValueError(f"info must have at most {MAX_INFO} bytes, not {len(data)}")
        m.submodules.bytes = store = memory.Memory(shape=8, depth=MAX_INFO, init=data)
        write = store.write_port()
        read = store.read_port()
        shown = Signal(range(MAX_INFO))
        m.d.comb += [
            self.length.eq(Mux(self.model, len(data), image_at(self.info))),
            write.en.eq(outside_reset(self.write.enable)),
            write.addr.eq(self.write.address),
            write.data.eq(self.write.data),
            read.en.eq(self.read.enable),
            read.addr.eq(self.read.address),
            self.read.data.eq(read.data),
        ]
        with m.If(self.read.enable):
            m.d.sync += shown.eq(self.read.address)
        with m.If(shown == FLAGS_AT):
            flags = self.default_image * HelloFlag.DEFAULT_IMAGE | HelloFlag.MODEL
            m.d.comb += self.read.data.eq(0)
            with m.If(self.model):
                m.d.comb += self.read.data.eq(flags)
        with m.Elif(shown == BAUD_AT):
            m.d.comb += self.read.data.eq(self.baud)
        with m.Elif(shown == SELF_TEST_AT):
            m.d.comb += self.read.data.eq(self.self_test)
        return m
