# SPDX-License-Identifier: MIT
"""A load ends, but never between its bytes; one that was stopped or is short is never good."""

from typing import Any

from amaranth.hdl import Cover, Elaboratable, Module

from glintfpga.firmware.blink.image_format import HEADER_BYTES
from glintfpga.firmware.wire.protocol import CRC_BYTES
from glintfpga.hdl.row.image_loader import ImageLoader
from glintfpga.hdl.row.load_port import READ_CYCLES
from support.formal.environment import Inside, always, before, leave_free

__all__ = ["ImageLoaderProperties"]


class ImageLoaderProperties(Elaboratable):
    """For any bytes, from outside or from the memories, and any strobes; the CRC may match or not.

    Wherever it is, it takes a byte, ends or stands still for want of one within eleven cycles.
    """

    def __init__(self, loader: ImageLoader) -> None:
        self.loader = loader

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.loader
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        idle, byte, word, end = (inside.state(name) for name in ("IDLE", "BYTE", "WORD", "END"))
        position, wait = inside["position"], inside["wait"]
        odd, in_header, in_tail = (inside[name] for name in ("odd", "in_header", "in_tail"))
        accepted = inside["accepted"]
        once = before(m, accepted)
        twice = before(m, once)
        ready, ended = before(m, dut.i.ready), before(m, dut.end)

        always(m, "bytes are taken while it says so", dut.i.ready == byte)
        always(m, "a load begins at once", ~before(m, dut.start & idle) | byte)
        always(m, "it ends behind a byte, or at the end", ~dut.done | twice | ready & ended)
        always(
            m,
            "and at the end at once",
            ~before(m, byte & dut.end & ~accepted & ~dut.check) | dut.done & ~dut.ok,
        )
        always(m, "two cycles behind a byte it goes on or has ended", ~twice | once | byte | idle)
        always(m, "no two words in a row", ~before(m, word | end) | byte | idle)
        always(m, "a check only behind a byte", ~dut.done | ~before(m, dut.check) | twice)
        always(m, "what has ended is over", ~dut.done | idle)
        always(m, "a stop ends it", ~before(m, dut.stop & ~idle) | idle)
        always(m, "and it is not good", ~before(m, dut.stop) | ~dut.ok)
        always(m, "nor is one without its end", ~dut.ok | before(m, dut.end | dut.check))
        always(m, "what is good has ended", ~dut.ok | dut.done)
        waited = before(m, wait)
        checks = before(m, byte & dut.check & ~accepted & ~dut.stop)
        always(m, "a check takes a byte in the end", ~checks | (wait < waited))
        always(m, "within nine cycles", wait <= READ_CYCLES)

        stores = dut.load.valid | dut.info.enable
        always(m, "a check stores nothing", ~(stores & dut.check))
        always(m, "nothing is stored between loads", ~(stores & idle))
        at = (dut.info.address - dut.crc_at)[: len(dut.info.address)]
        field = at < CRC_BYTES + HEADER_BYTES
        always(m, "what goes into the info stays in its field", ~dut.info.enable | field)

        # What makes it so.
        always(m, "a header has its length", ~in_header | (position <= HEADER_BYTES))
        always(m, "and no byte more", ~(in_header & byte) | (position < HEADER_BYTES))
        always(m, "its words have two bytes", ~in_header | idle | (position[0] == odd))
        always(m, "and are complete when judged", ~in_header | ~word | ~odd)
        always(m, "so has the CRC behind it", ~(in_tail & byte) | (position < CRC_BYTES))
        always(m, "header and CRC are apart", ~(in_header & in_tail))
        always(m, "rows have no position", in_header | in_tail | (position == 0) | end | idle)
        m.d.comb += Cover(dut.done & ~dut.ok & before(m, before(m, word)), "a word is refused")
        return m
