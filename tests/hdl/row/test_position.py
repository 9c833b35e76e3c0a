# SPDX-License-Identifier: MIT
import pytest

from glintfpga.hdl.row.position import Position
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from support.component_bench import simulate
from support.models import seeded_model

all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])


def groups(ctx, dut):
    """Groups in streaming order with the lanes that take part in each."""
    start, last, count = ctx.get(dut.start), ctx.get(dut.last), ctx.get(dut.count)
    limit, lane = ctx.get(dut.limit_group), ctx.get(dut.limit_lane)
    order, group = [], start
    for _ in range(count):
        order.append((group, [group != limit or i <= lane for i in range(dut.lanes)]))
        group = 0 if group == last else group + 1
    return order


def reference(window, lanes):
    spec = ModelSpec(loops=1, vocab=2, window=window, eos=None)
    return ReferenceModel(seeded_model(spec), lanes=lanes)


async def walk(ctx, dut, window, steps):
    device = reference(window, dut.lanes)
    model = device.model
    ctx.set(dut.window, window)
    ctx.set(dut.rope_num, model.rope_num)
    ctx.set(dut.rope_den, model.rope_den)
    ctx.set(dut.clear, 1)
    await ctx.tick()
    ctx.set(dut.clear, 0)
    for device.position in range(steps):
        assert ctx.get(dut.slot) == device.position % window
        assert ctx.get(dut.phase) == device.position * model.rope_num % model.rope_den
        want = [
            (group, device._valid(slice(group * dut.lanes, (group + 1) * dut.lanes)).tolist())
            for group in device._groups()
        ]
        assert groups(ctx, dut) == want
        if device.position % 5 == 0:
            await ctx.tick().repeat(2)
        ctx.set(dut.advance, 1)
        await ctx.tick()
        ctx.set(dut.advance, 0)


@pytest.mark.quick
@all_lanes
def test_small_windows_wrap_many_times(lanes):
    dut = Position(lanes=lanes)

    async def testbench(ctx):
        for window in range(1, 26):
            await walk(ctx, dut, window, 3 * window + 3)

    simulate(dut, testbench)


@all_lanes
@pytest.mark.parametrize("window", [44, 45, 127, 255, 256])
def test_long_windows(lanes, window):
    dut = Position(lanes=lanes)

    async def testbench(ctx):
        await walk(ctx, dut, window, window + 30)

    simulate(dut, testbench)


@pytest.mark.slow
@all_lanes
def test_every_window(lanes):
    dut = Position(lanes=lanes)

    async def testbench(ctx):
        for window in range(1, 257):
            await walk(ctx, dut, window, 2 * window + 3)

    simulate(dut, testbench, limit=10**6)


@all_lanes
def test_phase_never_drifts(lanes):
    dut = Position(lanes=lanes)

    async def testbench(ctx):
        for num, den in ((7, 44), (113, 710), (0, 1), (1023, 1024), (1, 2)):
            ctx.set(dut.window, 3)
            ctx.set(dut.rope_num, num)
            ctx.set(dut.rope_den, den)
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            ctx.set(dut.advance, 1)
            for position in range(1500):
                assert ctx.get(dut.phase) == position * num % den
                await ctx.tick()
            ctx.set(dut.advance, 0)

    simulate(dut, testbench)
