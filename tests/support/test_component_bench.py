# SPDX-License-Identifier: MIT
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from support.component_bench import Stalls, get, plain, put, record, simulate

Pair = data.StructLayout({"a": signed(4), "b": data.ArrayLayout(3, 2)})


class Delay(wiring.Component):
    i: In(signed(8))
    now: Out(signed(8))
    late: Out(signed(8))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.now.eq(-self.i)
        m.d.sync += self.late.eq(self.i)
        return m


class Register(wiring.Component):
    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.i.payload + 1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


def test_record():
    got = record(Delay(), {"i": [3, -4, 5]}, ["now", "late"], 5)
    assert got == {"now": [-3, 4, -5, -5, -5], "late": [0, 3, -4, 5, 5]}


@pytest.mark.quick
def test_streams_under_stalls():
    dut, sent, got = Register(), list(range(50)), []
    puts, gets = Stalls(1), Stalls(2)

    async def source(ctx):
        for value in sent:
            await put(ctx, dut.i, value, stall=puts())

    async def sink(ctx):
        for _ in sent:
            got.append(await get(ctx, dut.o, stall=gets()))

    simulate(dut, source, sink)
    assert got == [value + 1 for value in sent]


def test_limit():
    dut = Register()

    async def waits(ctx):
        while not ctx.get(dut.o.valid):
            await ctx.tick()

    with pytest.raises(TimeoutError, match="not ended after 30 cycles"):
        simulate(dut, waits, limit=30)


def test_stalls_repeat():
    def draw(seed):
        stalls = Stalls(seed, chance=0.5, longest=3)
        return [stalls() for _ in range(100)]

    assert draw(1) == draw(1) != draw(2)
    assert set(draw(1)) == {0, 1, 2, 3}


def test_plain():
    signal, seen = Signal(Pair), []

    async def testbench(ctx):
        ctx.set(signal, {"a": -3, "b": [5, 6]})
        seen.append(plain(ctx.get(signal)))

    simulate(Module(), testbench)
    assert seen == [{"a": -3, "b": [5, 6]}]
