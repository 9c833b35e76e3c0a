# SPDX-License-Identifier: MIT
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.sim.compiled import CompiledSim
from support import cxxrtl
from support.cxxrtl import NativeProgram

DIVISOR = 9
CLK_HZ = 27e6


class Counter(wiring.Component):
    """Adds a table row to a sum in every enabled cycle."""

    step: In(4)
    enable: In(1)
    sum: Out(70)
    low: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = Memory(shape=70, depth=16, init=[i << 60 for i in range(16)])
        read = table.read_port(domain="comb")
        m.d.comb += [read.addr.eq(self.step), self.low.eq(self.sum[60:])]
        with m.If(self.enable):
            m.d.sync += self.sum.eq(self.sum + read.data)
        return m


class TestBuild:
    def test_hash_is_of_the_logic(self, swapper_component):
        def text(component):
            return cxxrtl.rtlil_text(component)

        assert text(Counter()) == text(Counter())
        assert cxxrtl.rtlil_hash(text(Counter())) != cxxrtl.rtlil_hash(text(swapper_component))
        assert __file__ not in text(Counter())

    def test_is_cached(self, swapper_component, swapper_library, monkeypatch):
        monkeypatch.setattr(cxxrtl, "_compile", None)
        assert cxxrtl.build_native(swapper_component) == swapper_library

    def test_no_compiler(self, monkeypatch):
        monkeypatch.setenv("CXX", "no-such-compiler")
        with pytest.raises(EnvironmentProblem, match="no C\\+\\+ compiler"):
            cxxrtl.build_native(Counter())


class TestItems:
    @pytest.fixture
    def counter(self):
        return CompiledSim(NativeProgram(cxxrtl.build_native(Counter())), clk_hz=1e6)

    def test_ports(self, counter):
        total, low = counter.item("sum"), counter.item("low")
        assert (total.width, total.rows, total.is_memory) == (70, 1, False)
        counter.item("step").poke(3)
        counter.item("enable").poke(1)
        counter.clock(5)
        assert (total.peek(), low.peek(), counter.cycles) == (15 << 60, 15, 5)
        assert counter.clock_until(low, 24, limit=10) == 3
        with pytest.raises(InputError, match="'low' did not become 25 within 10 cycles"):
            counter.clock_until(low, 25, limit=10)

    def test_memory(self, counter):
        table = counter.item("table")
        assert (table.width, table.rows, table.is_memory) == (70, 16, True)
        assert table.peek_rows(2, 3) == [2 << 60, 3 << 60, 4 << 60]
        table.poke_rows(4, [1, (1 << 70) - 1])
        assert table.peek_rows(3, 4) == [3 << 60, 1, (1 << 70) - 1, 6 << 60]
        counter.item("step").poke(4)
        counter.item("enable").poke(1)
        counter.clock(7)
        assert counter.item("sum").peek() == 7

    def test_register(self, counter):
        counter.item("sum").poke(1 << 69)
        counter.clock()
        assert counter.item("sum").peek() == 1 << 69

    def test_wrong_names_and_rows(self, counter):
        with pytest.raises(InputError, match="nothing called 'tabel'"):
            counter.item("tabel")
        with pytest.raises(InputError, match=r"rows 15\.\.16 are not in 'table' \(16 rows\)"):
            counter.item("table").peek_rows(15, 2)

    def test_reset(self, counter):
        counter.item("table").poke(5, 0)
        counter.clock(3)
        counter.reset()
        assert counter.cycles == 0
        assert counter.item("table").peek(0) == 0


class TestUart:
    def test_all_bytes(self, swapper):
        swapper.put(bytes(range(256)))
        used = swapper.run(100_000, wanted=256)
        assert swapper.get() == bytes(b ^ 1 for b in range(256))
        assert used == swapper.cycles < 257 * (10 * DIVISOR + 2)
        assert swapper.framing_errors == 0

    @pytest.mark.parametrize("error", [-0.03, 0.03])
    def test_tolerates_other_rates(self, swapper, error):
        swapper.set_baud(CLK_HZ / DIVISOR * (1 + error))
        for _ in range(3):
            swapper.put(b"\x55\x00\xff\xaa")
            swapper.run(6 * 10 * DIVISOR)
        assert swapper.get() == b"\x54\x01\xfe\xab" * 3

    def test_queues(self, swapper):
        assert swapper.unsent == 0
        swapper.put(b"abc")
        assert swapper.unsent == 3
        swapper.run(12 * DIVISOR)
        assert swapper.unsent == 2
        swapper.run(1000)
        assert (swapper.unsent, swapper.waiting) == (0, 3)
        assert (swapper.get(2), swapper.get()) == (b"`c", b"b")

    def test_stops_on_output(self, swapper):
        swapper.put(b"ab")
        assert swapper.run(100_000, wanted=1) < 25 * DIVISOR
        assert swapper.get() == b"`"

    def test_trace(self, swapper):
        swapper.put(b"a")
        swapper.trace_start()
        swapper.run(300)
        head, _, changes = swapper.trace_take().decode().partition("$enddefinitions")
        names = [line.split()[4] for line in head.splitlines() if line.startswith("$var")]
        assert {"clk", "rx", "tx", "frame"} <= set(names)
        assert changes.count("\n#") == 600
        assert swapper.trace_take() == b""
