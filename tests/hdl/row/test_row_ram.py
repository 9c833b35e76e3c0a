# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.image_format import Section
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.row_ram import RowRam
from glintfpga.quant.blink.spec import ModelSpec
from support.component_bench import simulate
from support.models import random_image

NUMBERS = {Section.ROPE: 2, Section.EMBED: 3}
sections = pytest.mark.parametrize("section", NUMBERS)


def build(section, image=None, width=12):
    return RowRam(section, numbers=NUMBERS[section], width=width, depth=64, image=image)


@sections
def test_rows_of_an_image_are_there_at_power_up(section):
    image = random_image(ModelSpec(loops=1, vocab=40, window=5, eos=None), seed=1)
    dut = build(section, image, width=16)
    rows = image.sections[section][:64, : NUMBERS[section]]

    async def testbench(ctx):
        for address, row in enumerate(rows):
            ctx.set(dut.address, address)
            await ctx.tick()
            assert ctx.get(dut.row) == pack_row(row, 16)

    simulate(dut, testbench)


@pytest.mark.quick
@sections
def test_load_writes_its_own_section_and_reads_it_back(section):
    dut = build(section)
    rng = np.random.default_rng(2)
    rows = rng.integers(-2048, 2048, (64, 3))
    other = next(each for each in NUMBERS if each != section)

    async def testbench(ctx):
        ctx.set(dut.load.valid, 1)
        for target in (section, other):
            for index, row in enumerate(rows if target == section else -rows):
                ctx.set(dut.load.target, target)
                ctx.set(dut.load.index, index)
                ctx.set(dut.load.data, pack_row(row, 16))
                await ctx.tick()
        ctx.set(dut.load.valid, 0)
        for address in rng.permutation(64).tolist():
            kept = rows[address][: NUMBERS[section]]
            ctx.set(dut.load.read, 0)
            ctx.set(dut.address, address)
            ctx.set(dut.load.index, 63 - address)
            await ctx.tick()
            assert ctx.get(dut.row) == pack_row(kept, 12)
            # While the load port reads, the row is its own.
            ctx.set(dut.load.read, 1)
            ctx.set(dut.address, 63 - address)
            ctx.set(dut.load.index, address)
            await ctx.tick()
            assert ctx.get(dut.load.stored) == pack_row(kept, 16)

    simulate(dut, testbench)
