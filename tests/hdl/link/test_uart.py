# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.sim import Simulator

from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.hdl.link.uart import PHASE_BITS, UARTReceiver, UARTTransmitter, baud_steps

CLOCKS = (27_000_000, 54_000_000, 81_000_000, 94_500_000)


def waveform(data, *, clocks_per_bit, start=0.0, gap=0.0):
    """Line levels, one a clock, of bytes sent back to back (``gap`` extra bits between)."""
    edges, now = [], start
    for byte in data:
        bits = [0, *(byte >> i & 1 for i in range(8)), 1]
        edges += [(now + i * clocks_per_bit, bit) for i, bit in enumerate(bits)]
        now += (10 + gap) * clocks_per_bit
    levels, level = [], 1
    for clock in range(int(now + 2 * clocks_per_bit)):
        while edges and edges[0][0] <= clock:
            level = edges.pop(0)[1]
        levels.append(level)
    return levels


def receive(dut, levels, *, baud=0):
    out = []

    async def drive(ctx):
        ctx.set(dut.baud, baud)
        await ctx.tick().repeat(4)
        for level in levels:
            ctx.set(dut.rx, level)
            await ctx.tick()
        await ctx.tick().repeat(8)

    async def watch(ctx):
        async for _, _, valid, data, error in ctx.tick().sample(
            dut.o.valid, dut.o.data, dut.o.error
        ):
            if valid:
                out.append((data, error))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    sim.add_testbench(watch, background=True)
    sim.run()
    return out


@pytest.mark.parametrize("clk_hz", CLOCKS)
def test_rates_within_a_tenth_of_a_percent(clk_hz):
    for baud, step in zip(BAUDS, baud_steps(clk_hz), strict=True):
        assert abs(step * clk_hz / (1 << PHASE_BITS) / baud - 1) < 0.001


@pytest.mark.parametrize("clk_hz", [23_999_999, 10_000_000_000])
def test_unfit_clock(clk_hz):
    with pytest.raises(ValueError, match=f"not {clk_hz}"):
        baud_steps(clk_hz)


@pytest.mark.parametrize("off", [0.98, 0.99, 1.0, 1.01, 1.02])
@pytest.mark.parametrize(("clk_hz", "index"), [(27_000_000, 4), (27_000_000, 3), (81_000_000, 4)])
def test_receives_back_to_back_bytes_of_a_clock_that_is_off(clk_hz, index, off):
    rng = random.Random(index)
    data = [0x00, 0xFF, 0x55, *(rng.randrange(256) for _ in range(25))]
    for start in (0.0, 0.3, 0.7):
        levels = waveform(data, clocks_per_bit=clk_hz / BAUDS[index] * off, start=20 + start)
        out = receive(UARTReceiver(clk_hz=clk_hz), levels, baud=index)
        assert out == [(byte, 0) for byte in data]


def test_receives_at_eight_clocks_a_bit():
    data = [0x00, 0xA5, 0xFF, 0x01]
    for off in (0.98, 1.02):
        levels = waveform(data, clocks_per_bit=8 * off, start=20)
        out = receive(UARTReceiver(clk_hz=800, bauds=(100,)), levels)
        assert out == [(byte, 0) for byte in data]


@pytest.mark.quick
def test_ignores_glitches_and_flags_a_low_stop_bit():
    good = waveform([0x5A], clocks_per_bit=16, start=20)
    glitch = [1] * 20 + [0] * 6 + [1] * 40
    # The stop bit of 0xC3 is low and the line stays low for three bytes: one error, then a byte.
    low = waveform([0xC3], clocks_per_bit=16, start=20)[: 20 + 9 * 16] + [0] * 480
    out = receive(UARTReceiver(clk_hz=1600, bauds=(100,)), glitch + good + low + good)
    assert out == [(0x5A, 0), (0xC3, 1), (0x5A, 0)]


@pytest.mark.parametrize(("clk_hz", "index"), [(27_000_000, 4), (27_000_000, 3), (94_500_000, 4)])
def test_sends_without_gaps(clk_hz, index):
    dut = UARTTransmitter(clk_hz=clk_hz)
    data = [0x00, 0xFF, 0x55, 0x81, 0x7E, 0x12]
    levels = []

    async def feed(ctx):
        ctx.set(dut.baud, index)
        await ctx.tick().repeat(4)
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        assert not ctx.get(dut.idle)
        await ctx.tick().until(dut.idle)

    async def watch(ctx):
        async for _, _, level in ctx.tick().sample(dut.tx):
            levels.append(level)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(feed)
    sim.add_testbench(watch, background=True)
    sim.run()
    first = levels.index(0)
    expected = waveform(data, clocks_per_bit=clk_hz / BAUDS[index])
    sent = levels[first:]
    assert abs(len(sent) - 10 * len(data) * clk_hz / BAUDS[index]) <= 4
    mids = [int((bit + 0.5) * clk_hz / BAUDS[index]) for bit in range(10 * len(data))]
    assert [sent[i] for i in mids] == [expected[i] for i in mids]
