# SPDX-License-Identifier: MIT
"""The block table: the description of a model's passes, in a memory of rows."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import Section
from glintfpga.hdl.primitives.memory import outside_reset, pack_row, ram
from glintfpga.hdl.row.load_port import LoadPort

__all__ = ["BlockTable", "Config", "Descriptor"]

_CONFIG_ROWS = 3


class Config(data.Struct):
    """The three CONFIG rows of an image, as they lie in memory."""

    out_base: 16
    vocab: 16
    shift_logit: 4
    unused: 4
    thinking: 8
    window: 16
    rope_num: 16
    rope_den: 16
    eos: 16
    passes: 16
    zero: 16


class Descriptor(data.Struct):
    """The three TABLE rows of a pass, as they lie in memory. Bases are rows / 8."""

    qkv_base: 16
    gate_base: 16
    down_base: 16
    kv_base: 16
    shift_k: 4
    shift_q: 4
    shift_v: 4
    unused: 4
    shift_gate: 4
    shift_up: 4
    shift_down: 4
    hidden_less_1: 4
    loop_embedding: data.ArrayLayout(16, 3)


class BlockTable(wiring.Component):
    """Memory of CONFIG and TABLE rows, with the running pass's descriptor in registers.

    ``refresh`` (also at power-up) reads CONFIG and the first pass: 9 cycles, ``ready`` low.
    ``fetch`` reads one row of the following pass; after three of them ``take`` makes it the
    running one. Passes follow in a ring, so a new token finds the first one in place.

    Members
    -------
    load : In(LoadPort)
        Targets CONFIG and TABLE; ``read`` only while nothing else reads.
    refresh, fetch, take : In(1)
        Strobes, see above.
    config : Out(Config)
    descriptor : Out(Descriptor)
        Of the running pass.
    ready : Out(1)
    """

    load: In(LoadPort)
    refresh: In(1)
    fetch: In(1)
    take: In(1)
    config: Out(Config)
    descriptor: Out(Descriptor)
    ready: Out(1)

    def __init__(self, *, image: Image | None) -> None:
        self.image = image
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        address = Signal(6)
        load = self.load
        is_table = load.target == Section.TABLE
        load_address = Signal(6)
        row, port = ram(
            m,
            "table",
            width=48,
            depth=64,
            init=self._rows(),
            address=Mux(load.read, load_address, address),
        )
        m.d.comb += [
            load_address.eq(Mux(is_table, load.index + _CONFIG_ROWS, load.index)),
            load.stored.eq(row),
            port.addr.eq(load_address),
            port.data.eq(load.data),
            port.en.eq(outside_reset(load.valid & (is_table | (load.target == Section.CONFIG)))),
        ]
        following = Signal(Descriptor)
        step = Signal(range(9))
        starting = Signal(init=1)
        passes_seen = Signal(5)
        read = Signal()
        to_config = Signal()
        slot = Signal(range(3))
        m.d.comb += [read.eq(starting | self.fetch), self.ready.eq(~starting)]
        # A row read in one cycle is stored in the next.
        reading = Signal()
        reading_config = Signal()
        reading_slot = Signal(range(3))
        m.d.sync += [reading.eq(read), reading_config.eq(to_config), reading_slot.eq(slot)]
        config_words = _words(self.config)
        following_words = _words(following)
        with m.If(reading):
            for index in range(3):
                with m.If(reading_slot == index):
                    with m.If(reading_config):
                        m.d.sync += config_words[index].eq(row)
                    with m.Else():
                        m.d.sync += following_words[index].eq(row)
        m.d.comb += to_config.eq(starting & (address < _CONFIG_ROWS))
        with m.If(read):
            m.d.sync += slot.eq(Mux(slot == 2, 0, slot + 1))
            with m.If((slot == 2) & ~to_config & (passes_seen + 1 >= self.config.passes)):
                m.d.sync += [address.eq(_CONFIG_ROWS), passes_seen.eq(0)]
            with m.Else():
                m.d.sync += address.eq(address + 1)
                with m.If((slot == 2) & ~to_config):
                    m.d.sync += passes_seen.eq(passes_seen + 1)
        with m.If(starting):
            m.d.sync += step.eq(step + 1)
            with m.If(step >= 6):
                m.d.comb += read.eq(0)
            with m.If(step == 7):
                m.d.sync += [starting.eq(0), self.descriptor.eq(following)]
        with m.If(self.take):
            m.d.sync += self.descriptor.eq(following)
        with m.If(self.refresh):
            m.d.sync += [starting.eq(1), step.eq(0), address.eq(0), slot.eq(0), passes_seen.eq(0)]
        return m

    def _rows(self) -> list[int]:
        if self.image is None:
            return []
        sections = self.image.sections
        rows = [*sections[Section.CONFIG], *sections[Section.TABLE]]
        return [pack_row(row, 16) for row in rows]


def _words(view: data.View) -> list[Any]:
    value = view.as_value()
    return [value[48 * i : 48 * (i + 1)] for i in range(3)]
