# SPDX-License-Identifier: MIT
from amaranth.hdl import ClockDomain, Module, ResetSignal, Signal
from amaranth.sim import Simulator

from glintfpga.hdl.memory import outside_reset, ram

PERIOD = 1e-6


class TestRam:
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

    def test_reset_keeps_rows(self):
        assert self.run([1, 1, 1]) == 2

    def test_writes_without_reset(self):
        assert self.run([1, 0, 1]) == 7
