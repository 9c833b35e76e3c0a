# SPDX-License-Identifier: MIT
import random
from dataclasses import asdict, fields

import pytest
from amaranth.sim import Simulator

from glintfpga.firmware.wire.messages import Counters
from glintfpga.hdl.service.counters import COUNTER_BYTES, CounterBank

NAMES = [field.name for field in fields(Counters)]


@pytest.mark.quick
def test_counts_like_the_messages_say():
    dut = CounterBank()
    rng = random.Random(1)
    model = dict.fromkeys(NAMES, 0)

    async def count(ctx, cycles):
        busy = 0
        for _ in range(cycles):
            restart = not busy and rng.random() < 0.1
            busy = rng.randrange(1, 120) if restart else max(0, busy - 1)
            events = {name: name.endswith("cycles") and busy > 0 for name in NAMES}
            rare = rng.choice(NAMES)
            events[rare] = events[rare] or (not rare.endswith("cycles") and rng.random() < 0.5)
            for name, event in events.items():
                ctx.set(getattr(dut, name), event)
                model[name] += event
            ctx.set(dut.restart, restart)
            if restart:
                model["token_cycles"] = int(events["token_cycles"])
            await ctx.tick()
        for name in [*NAMES, "restart"]:
            ctx.set(getattr(dut, name), 0)

    async def report(ctx):
        out = bytearray()
        ctx.set(dut.report, 1)
        while len(out) < COUNTER_BYTES:
            ready = rng.random() < 0.5
            ctx.set(dut.o.ready, ready)
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if ready and valid:
                out.append(byte)
            if len(out) == COUNTER_BYTES:
                ctx.set(dut.report, 0)
        return Counters.decode(bytes(out))

    async def bench(ctx):
        for cycles in (1, 77, 400, 1000, 2500):
            await count(ctx, cycles)
            assert asdict(await report(ctx)) == model
        assert asdict(await report(ctx)) == model
        assert model["total_cycles"] > 256

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
