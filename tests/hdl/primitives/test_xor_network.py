# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.sim import Simulator

from glintfpga.hdl.primitives import xor_network
from glintfpga.hdl.primitives.xor_network import XorNetwork


def product(columns, vector):
    result = 0
    for index, column in enumerate(columns):
        if vector >> index & 1:
            result ^= column
    return result


class Lut(Elaboratable):
    made = 0

    def __init__(self, kind, *, p_INIT, o_F, **inputs):
        size = int(kind.removeprefix("LUT"))
        assert list(inputs) == [f"i_I{i}" for i in range(size)]
        assert len(p_INIT) == 1 << size
        self.table, self.inputs, self.output = p_INIT, Cat(*inputs.values()), o_F
        Lut.made += 1

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.output.eq(self.table.bit_select(self.inputs, 1))
        return m


@pytest.mark.parametrize("instances", [False, True])
@pytest.mark.parametrize(("height", "width", "density"), [(32, 60, 2), (8, 20, 1), (5, 3, 3)])
def test_equals_the_matrix_product(monkeypatch, height, width, density, instances):
    monkeypatch.setattr(xor_network, "Instance", Lut)
    monkeypatch.setattr(xor_network, "GowinPlatform", object if instances else ())
    rng = random.Random(height)
    columns = [rng.getrandbits(height) for _ in range(width)]
    for _ in range(density - 1):
        columns = [column & rng.getrandbits(height) for column in columns]
    columns[0] = 0
    network = XorNetwork.of(columns, height)
    m = Module()
    vector, result = Signal(width), Signal(height)
    before = Lut.made
    m.d.comb += result.eq(network.build(m, None, "x", vector))
    assert Lut.made - before == (network.luts if instances else 0)

    async def testbench(ctx):
        for value in [0, *(1 << bit for bit in range(width)), *map(rng.getrandbits, [width] * 50)]:
            ctx.set(vector, value)
            await ctx.delay(1e-9)
            assert ctx.get(result) == product(columns, value)

    sim = Simulator(m)
    sim.add_testbench(testbench)
    sim.run()


def test_sharing_saves():
    rng = random.Random(0)
    columns = [rng.getrandbits(32) for _ in range(60)]
    alone = sum(-(-(sum(c >> row & 1 for c in columns) - 1) // 3) for row in range(32))
    assert XorNetwork.of(columns, 32).luts < 0.6 * alone


@pytest.mark.quick
def test_rows_without_sharing_stay_as_they_are():
    network = XorNetwork.of([0b01, 0b11, 0b10], 2)
    assert network.nodes == ()
    assert network.rows == ((0, 1), (1, 2))
    assert network.luts == 2
