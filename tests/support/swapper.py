# SPDX-License-Identifier: MIT
"""A small UART device that is simulated where the whole one would take too long."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from glintfpga.sim.compiled import CompiledSim
from support import cxxrtl
from support.cxxrtl import NativeProgram

DIVISOR = 9
CLK_HZ = 27e6


class Swapper(wiring.Component):
    """A UART that sends back each byte through a table (its lowest bit turned over)."""

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = Memory(shape=8, depth=256, init=[i ^ 1 for i in range(256)])
        read, _ = table.read_port(), table.write_port()
        line, wait, left = Signal(2, init=3), Signal(5), Signal(4)
        bits, done, found = Signal(10), Signal(), Signal()
        m.d.sync += [line.eq(line[0] << 1 | self.rx), done.eq(0), found.eq(done)]
        m.d.comb += read.addr.eq(bits[1:9])
        with m.If(left == 0):
            with m.If(~line[1]):
                m.d.sync += [left.eq(10), wait.eq(DIVISOR // 2)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(DIVISOR - 1), bits.eq(bits >> 1 | line[1] << 9)]
            m.d.sync += [left.eq(left - 1), done.eq(left == 1)]
        frame = Signal(11)
        tick = Signal(range(DIVISOR))
        m.d.comb += self.tx.eq((frame <= 1) | frame[0])
        with m.If(found):
            m.d.sync += [frame.eq(read.data << 1 | 3 << 9), tick.eq(0)]
        with m.Elif(tick == DIVISOR - 1):
            m.d.sync += [frame.eq(frame >> 1), tick.eq(0)]
        with m.Else():
            m.d.sync += tick.eq(tick + 1)
        return m


@pytest.fixture
def swapper_component():
    return Swapper()


@pytest.fixture(scope="session")
def swapper_library():
    return cxxrtl.build_native(Swapper())


@pytest.fixture
def swapper(swapper_library):
    """A compiled `Swapper` at 3 Mbaud."""
    sim = CompiledSim(NativeProgram(swapper_library), clk_hz=CLK_HZ)
    sim.set_baud(CLK_HZ / DIVISOR)
    return sim
