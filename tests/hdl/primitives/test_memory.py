# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.hdl import ClockDomain, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from glintfpga.hdl.primitives.memory import outside_reset, pack_row, ram, rom
from support.component_bench import record

PERIOD = 1e-6
WORDS = [random.Random(1).randrange(-(1 << 8), 1 << 8) for _ in range(64)]


class Rom(wiring.Component):
    address: In(6)
    data: Out(9)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.data.eq(rom(m, "table", WORDS, 9, self.address))
        return m


class Ram(wiring.Component):
    address: In(6)
    data: Out(9)
    to: In(6)
    word: In(9)
    write: In(1)

    def elaborate(self, platform):
        m = Module()
        data, port = ram(m, "rows", width=9, depth=64, init=WORDS[:50], address=self.address)
        m.d.comb += [
            self.data.eq(data),
            port.addr.eq(self.to),
            port.data.eq(self.word),
            port.en.eq(self.write),
        ]
        return m


def test_rom_reads_a_cycle_later_and_drops_high_bits():
    order = random.Random(2).choices(range(64), k=200)
    got = record(Rom(), {"address": order}, ["data"], 201)
    assert got["data"][1:] == [WORDS[at] & 0x1FF for at in order]


def test_ram_starts_with_its_contents_and_zeros():
    got = record(Ram(), {"address": list(range(64))}, ["data"], 65)
    assert got["data"][1:] == [word & 0x1FF for word in WORDS[:50]] + [0] * 14


def test_ram_reads_what_was_written_in_the_cycle_before():
    rng = random.Random(3)
    model = [word & 0x1FF for word in WORDS[:50]] + [0] * 14
    inputs = {name: [] for name in ("address", "to", "word", "write")}
    want = []
    for _ in range(500):
        read, to = rng.sample(range(64), 2)  # never both at one row
        if inputs["to"] and rng.random() < 0.5:
            read = inputs["to"][-1]
            to = rng.choice([row for row in range(64) if row != read])
        word, write = rng.randrange(512), rng.random() < 0.7
        for name, value in zip(inputs, (read, to, word, write), strict=True):
            inputs[name].append(value)
        want.append(model[read])
        if write:
            model[to] = word
    got = record(Ram(), inputs, ["data"], 501)
    assert got["data"][1:] == want


def test_pack_row():
    assert pack_row([1, -1, -2048], 12) == 1 | 0xFFF << 12 | 0x800 << 24
    assert pack_row([3, -1], 9) == 3 | 0x1FF << 9


class TestReset:
    def run(self, resets):
        """What row 1 holds after cycles with a write in each, and reset as told."""
        m = Module()
        m.domains.sync = ClockDomain()
        reset, written = Signal(), Signal(8, init=7)
        m.d.comb += ResetSignal().eq(reset)
        word, port = ram(m, "rows", width=8, depth=4, init=[1, 2, 3, 4], address=1)
        m.d.comb += [port.addr.eq(1), port.data.eq(written), port.en.eq(outside_reset(1))]
        found = []

        async def bench(ctx):
            for on in resets:
                ctx.set(reset, on)
                await ctx.delay(PERIOD)
            ctx.set(reset, 1)
            await ctx.delay(2 * PERIOD)
            found.append(ctx.get(word))

        simulator = Simulator(m)
        simulator.add_clock(PERIOD)
        simulator.add_testbench(bench)
        simulator.run()
        return found[0]

    @pytest.mark.quick
    def test_reset_keeps_rows(self):
        assert self.run([1, 1, 1]) == 2

    def test_writes_without_reset(self):
        assert self.run([1, 0, 1]) == 7
