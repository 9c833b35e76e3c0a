# SPDX-License-Identifier: MIT
"""A memory of one section of an image: token embeddings, or RoPE's angles."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import Section
from glintfpga.hdl.primitives.memory import outside_reset, pack_row, ram
from glintfpga.hdl.row.load_port import LoadPort

__all__ = ["RowRam", "int16s", "loaded_row"]


def int16s(row: Value, width: int) -> Value:
    """The numbers of a memory word as int16."""
    numbers = (row[at : at + width] for at in range(0, len(row), width))
    return Cat(Cat(number, number[-1].replicate(16 - width)) for number in numbers)


def loaded_row(row: Value, width: int, numbers: int = 3) -> Value:
    """The first numbers of a row of int16 as a memory word."""
    return Cat(row[16 * i : 16 * i + width] for i in range(numbers))


class RowRam(wiring.Component):
    """Rows of ``numbers`` numbers of ``width`` bits; a row is read each cycle.

    Members
    -------
    address : In
        Of the row to read; that of ``load`` while it reads.
    row : Out
        The row, one cycle later, its first number lowest.
    load : In(LoadPort)
        Writes rows of the section; ``stored`` shows the row that is read.
    """

    def __init__(
        self, section: Section, *, numbers: int, width: int, depth: int, image: Image | None
    ) -> None:
        self.section = section
        self.numbers = numbers
        self.width = width
        self.depth = depth
        self.image = image
        super().__init__(
            {"address": In(range(depth)), "row": Out(numbers * width), "load": In(LoadPort)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        init = []
        if self.image is not None:
            rows = self.image.sections[self.section][:, : self.numbers]
            init = [pack_row(row, self.width) for row in rows]
        index = self.load.index[: len(self.address)]
        word, port = ram(
            m,
            "rows",
            width=self.numbers * self.width,
            depth=self.depth,
            init=init,
            address=Mux(self.load.read, index, self.address),
        )
        m.d.comb += [
            self.row.eq(word),
            self.load.stored.eq(int16s(word, self.width)),
            port.addr.eq(index),
            port.data.eq(loaded_row(self.load.data, self.width, self.numbers)),
            port.en.eq(outside_reset(self.load.valid & (self.load.target == self.section))),
        ]
        return m
