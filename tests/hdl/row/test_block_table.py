# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.image_format import Section
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.block_table import BlockTable
from glintfpga.quant.blink.plan import PLAN12
from glintfpga.quant.blink.spec import ModelSpec
from support.component_bench import simulate
from support.models import random_image


def build(passes, seed=1, **sizes):
    spec = ModelSpec(**{"loops": passes, "vocab": 40, "window": 5, "eos": 39, **sizes})
    return random_image(spec, seed=seed)


def flat(view):
    """The three rows of a struct, as unsigned 48-bit words."""
    return [view.as_bits() >> 48 * i & (1 << 48) - 1 for i in range(3)]


def rows(image, section):
    return [pack_row(row, 16) for row in image.sections[section]]


async def ready(ctx, dut):
    cycles = 0
    while not ctx.get(dut.ready):
        await ctx.tick()
        cycles += 1
    return cycles


async def next_pass(ctx, dut, pause):
    for _ in range(3):
        ctx.set(dut.fetch, 1)
        await ctx.tick()
        ctx.set(dut.fetch, 0)
        await ctx.tick().repeat(pause + 1)
    ctx.set(dut.take, 1)
    await ctx.tick()
    ctx.set(dut.take, 0)


async def refresh(ctx, dut):
    ctx.set(dut.refresh, 1)
    await ctx.tick()
    ctx.set(dut.refresh, 0)
    return 1 + await ready(ctx, dut)


async def check(ctx, dut, image, fetched=0):
    assert flat(ctx.get(dut.config)) == rows(image, Section.CONFIG)
    table = rows(image, Section.TABLE)
    passes = len(table) // 3
    for turn in range(fetched, 2 * passes + 1):
        index = turn % passes
        assert flat(ctx.get(dut.descriptor)) == table[3 * index : 3 * index + 3]
        await next_pass(ctx, dut, turn % 3)


@pytest.mark.parametrize("passes", [1, 2, 16])
class TestRing:
    def test_power_up_and_two_rounds(self, passes):
        image = build(passes)
        dut = BlockTable(image=image)

        async def testbench(ctx):
            assert await ready(ctx, dut) <= 9
            await check(ctx, dut, image)

        simulate(dut, testbench)

    @pytest.mark.quick
    def test_refresh_in_mid_ring_starts_over(self, passes):
        image = build(passes)
        dut = BlockTable(image=image)

        async def testbench(ctx):
            await ready(ctx, dut)
            for fetches in range(3 * passes + 2):
                for _ in range(fetches):
                    ctx.set(dut.fetch, 1)
                    await ctx.tick()
                ctx.set(dut.fetch, 0)
                assert await refresh(ctx, dut) == 9
                await check(ctx, dut, image, fetched=2 * passes)
                assert await refresh(ctx, dut) == 9

        simulate(dut, testbench)


@pytest.mark.parametrize("before", [None, 1, 16])
def test_load_then_refresh(before):
    dut = BlockTable(image=None if before is None else build(before, seed=2))
    image = build(3, window=8, thinking=2)

    async def testbench(ctx):
        await ready(ctx, dut)
        for section in Section:
            for index, row in enumerate(image.sections[section][:60]):
                ctx.set(dut.load.valid, 1)
                ctx.set(dut.load.target, section)
                ctx.set(dut.load.index, index)
                ctx.set(dut.load.data, pack_row(row, 16))
                await ctx.tick()
        ctx.set(dut.load.valid, 0)
        assert await refresh(ctx, dut) == 9
        await check(ctx, dut, image)

    simulate(dut, testbench)


def test_names_of_the_fields():
    image = build(2, thinking=3)
    model, layout = image.model, image.layout
    dut = BlockTable(image=image)

    async def testbench(ctx):
        await ready(ctx, dut)
        config, d = ctx.get(dut.config), ctx.get(dut.descriptor)
        assert config.out_base == layout.out_base // 8
        assert (config.vocab, config.window, config.eos, config.passes) == (40, 5, 39, 2)
        assert (config.rope_num, config.rope_den) == (7, 44)
        assert config.shift_logit == model.shift_logit - PLAN12.min_shift
        assert config.thinking == 3
        weights, place = model.passes[0], layout.passes[0]
        assert (d.qkv_base, d.gate_base) == (place.qkv // 8, place.gate // 8)
        assert (d.down_base, d.kv_base) == (place.down // 8, place.kv // 8)
        for name in ("k", "q", "v", "gate", "up"):
            assert d[f"shift_{name}"] == getattr(weights, f"shift_{name}") - PLAN12.min_shift
        assert d.shift_down == weights.shift_down - PLAN12.min_sum_shift
        assert d.hidden_less_1 == weights.hidden - 1
        loop = [int(d.loop_embedding[i]) for i in range(3)]
        assert loop == [int(value) & 0xFFFF for value in weights.loop_embedding]

    simulate(dut, testbench)
