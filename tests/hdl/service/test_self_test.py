# SPDX-License-Identifier: MIT
import pytest
from amaranth.sim import Simulator

from glintfpga.firmware.blink.golden import GOLDEN_TOKENS
from glintfpga.firmware.wire.protocol import SelfTest as Result
from glintfpga.hdl.core_port import GoldenRun
from glintfpga.hdl.row.machine import RowMachine
from glintfpga.hdl.service.self_test import SelfTest

GOLDEN = 0x12345678
LIMIT_MS = RowMachine.golden_run.limit_ms


class World:
    """A self-test with a loader and a core that do what a test tells them."""

    def __init__(
        self,
        *,
        has_model=True,
        memory_ok=True,
        crc=GOLDEN,
        silent_after=None,
        golden_run=RowMachine.golden_run,
    ):
        self.dut = SelfTest(has_model=has_model, golden_run=golden_run)
        self.asked = golden_run.tokens
        self.memory_ok = memory_ok
        self.crc = crc
        self.silent_after = silent_after
        self.tokens, self.checks, self.clears, self.failures = [], 0, 0, 0

    async def loader(self, ctx):
        dut = self.dut
        ctx.set(dut.golden, GOLDEN)
        while True:
            _, _, started = await ctx.tick().sample(dut.check_start)
            if not started:
                continue
            self.checks += 1
            for _ in range(30):
                assert ctx.get(dut.check) and not ctx.get(dut.core.i.valid)
                await ctx.tick()
            ctx.set(dut.check_done, 1)
            ctx.set(dut.check_ok, self.memory_ok)
            await ctx.tick()
            ctx.set(dut.check_done, 0)

    async def core(self, ctx):
        dut = self.dut
        ctx.set(dut.core.idle, 1)
        while True:
            ctx.set(dut.core.i.ready, 1)
            _, _, asked, op, clear, failed = await ctx.tick().sample(
                dut.core.i.valid, dut.core.i.payload, dut.core_clear, dut.failed
            )
            self.clears += clear
            self.failures += failed
            if not asked:
                continue
            self.tokens.append(op.id)
            assert op.enter and not op.sample and op.logits == (len(self.tokens) % self.asked == 0)
            ctx.set(dut.core.i.ready, 0)
            ctx.set(dut.core.idle, 0)
            for _ in range(7):
                await ctx.tick()
            if len(self.tokens) == self.silent_after:
                while not ctx.get(dut.failed):
                    await ctx.tick()
            elif op.logits:
                ctx.set(dut.core.o.payload, {"id": 3, "crc": self.crc})
                ctx.set(dut.core.o.valid, 1)
                while not ctx.get(dut.core.o.ready):
                    await ctx.tick()
                await ctx.tick()
                ctx.set(dut.core.o.valid, 0)
            ctx.set(dut.core.idle, 1)

    async def clock(self, ctx):
        while True:
            ctx.set(self.dut.tick_ms, 1)
            await ctx.tick()
            ctx.set(self.dut.tick_ms, 0)
            for _ in range(9):
                await ctx.tick()

    def run(self, script):
        async def main(ctx):
            await script(ctx, self.dut)

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(main)
        for testbench in (self.loader, self.core, self.clock):
            simulator.add_testbench(testbench, background=True)
        simulator.run()


async def end(ctx, dut, *, limit=2000):
    """The result, once there is one; the cycles until then."""
    for cycles in range(limit):
        if not ctx.get(dut.busy):
            return Result(ctx.get(dut.result)), cycles
        await ctx.tick()
    raise AssertionError("the self-test does not end")


@pytest.mark.parametrize(
    ("faults", "expected", "tokens"),
    [
        ({}, Result.PASSED, GOLDEN_TOKENS),
        ({"memory_ok": False}, Result.MEMORY_FAILED, 0),
        *(({"crc": GOLDEN ^ 1 << bit}, Result.TOKEN_FAILED, 8) for bit in (0, 9, 22, 31)),
    ],
)
def test_results(faults, expected, tokens):
    world = World(**faults)

    async def script(ctx, dut):
        assert ctx.get(dut.busy)
        assert (await end(ctx, dut))[0] == expected
        await ctx.tick().repeat(50)

    world.run(script)
    assert world.tokens == [0, 1] * (tokens // 2)
    assert (world.checks, world.clears) == (1, tokens > 0)
    assert world.failures == (expected != Result.PASSED)


@pytest.mark.quick
@pytest.mark.parametrize("silent_after", [1, 5, 8])
def test_a_silent_core_has_failed(silent_after):
    world = World(silent_after=silent_after)

    async def script(ctx, dut):
        result, cycles = await end(ctx, dut)
        assert result == Result.TOKEN_FAILED
        assert 10 * (LIMIT_MS - 2) < cycles < 10 * (LIMIT_MS + 15)

    world.run(script)


@pytest.mark.parametrize("tokens", [1, 5, 64])
def test_the_golden_run_is_the_machines(tokens):
    limit_ms = 10 + tokens
    run = GoldenRun(tokens=tokens, limit_ms=limit_ms)
    good, silent = World(golden_run=run), World(golden_run=run, silent_after=tokens)

    async def passes(ctx, dut):
        assert (await end(ctx, dut))[0] == Result.PASSED

    async def fails(ctx, dut):
        result, cycles = await end(ctx, dut)
        assert result == Result.TOKEN_FAILED
        assert 10 * (limit_ms - 2) < cycles < 10 * (limit_ms + 15)

    good.run(passes)
    silent.run(fails)
    assert good.tokens == silent.tokens == [place & 1 for place in range(tokens)]


def test_it_follows_the_models():
    world = World(has_model=False)

    async def script(ctx, dut):
        assert await end(ctx, dut) == (Result.NO_MODEL, 0)
        for memory_ok, expected in ((True, Result.PASSED), (False, Result.MEMORY_FAILED)):
            world.memory_ok = memory_ok
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            assert (await end(ctx, dut))[0] == expected
            ctx.set(dut.drop, 1)
            await ctx.tick()
            ctx.set(dut.drop, 0)
            assert (await end(ctx, dut)) == (Result.NO_MODEL, 0)

    world.run(script)
    assert world.checks == 2
