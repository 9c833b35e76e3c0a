# SPDX-License-Identifier: MIT
"""What the device says about itself, byte by byte."""

from dataclasses import replace

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import BAUDS, HELLO_INFO, HelloFlag, HelloInfo, SelfTest
from glintfpga.hdl.primitives.memory import outside_reset

__all__ = ["CRC_AT", "HEADER_AT", "HelloStore"]


def _position(field: str, value: object) -> int:
    """Where the first byte of a field lies."""
    blank = HelloInfo(lanes=0, plan=0)
    changed = replace(blank, **{field: value}).encode()  # type: ignore[arg-type]
    return next(i for i, (a, b) in enumerate(zip(blank.encode(), changed)) if a != b)


FLAGS_AT = _position("flags", 255)
BAUD_AT = _position("baud_index", 255)
SELF_TEST_AT = _position("self_test", 255)
CRC_AT = _position("image_crc", 255)
HEADER_AT = _position("image_header", b"\xff" * 96)


class HelloStore(wiring.Component):
    """Memory of the `HelloInfo` bytes; the image's part is written while an image is loaded.

    Flags, baud rate and self-test are not stored but taken from their ports. Without a model,
    everything from the image's CRC on reads as zero, whatever a failed load has left there.

    Latency: 1 cycle from ``address`` to ``data``.

    Parameters
    ----------
    info : HelloInfo
        At power-up.

    Members
    -------
    enable, address, data : In, In, Out
        Read port. Do not read while an image is being loaded into the same bytes.
    write_enable, write_address, write_data : In
        Write port.
    model, default_image : In(1)
        For the flags.
    baud : In(range)
        Index of the rate.
    self_test : In(SelfTest)
    """

    def __init__(self, *, info: HelloInfo):
        self.info = info
        super().__init__(
            {
                "enable": In(1),
                "address": In(range(HELLO_INFO)),
                "data": Out(8),
                "write_enable": In(1),
                "write_address": In(range(HELLO_INFO)),
                "write_data": In(8),
                "model": In(1),
                "default_image": In(1),
                "baud": In(range(len(BAUDS))),
                "self_test": In(SelfTest),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        # Twice the needed depth keeps it in block RAM.
        m.submodules.bytes = store = memory.Memory(
            shape=8, depth=2 * HELLO_INFO, init=self.info.encode()
        )
        write = store.write_port()
        read = store.read_port()
        shown = Signal(range(HELLO_INFO))
        m.d.comb += [
            write.en.eq(outside_reset(self.write_enable)),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.enable),
            read.addr.eq(self.address),
            self.data.eq(read.data),
        ]
        with m.If(self.enable):
            m.d.sync += shown.eq(self.address)
        with m.If(shown == FLAGS_AT):
            flags = self.default_image * HelloFlag.DEFAULT_IMAGE | HelloFlag.MODEL
            m.d.comb += self.data.eq(0)
            with m.If(self.model):
                m.d.comb += self.data.eq(flags)
        with m.Elif(shown == BAUD_AT):
            m.d.comb += self.data.eq(self.baud)
        with m.Elif(shown == SELF_TEST_AT):
            m.d.comb += self.data.eq(self.self_test)
        with m.Elif((shown >= CRC_AT) & ~self.model):
            m.d.comb += self.data.eq(0)
        return m
