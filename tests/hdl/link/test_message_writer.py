# SPDX-License-Identifier: MIT
import pytest
from amaranth.sim import Simulator

from glintfpga.firmware.wire.messages import take_message
from glintfpga.firmware.wire.protocol import MESSAGE_HEADER, SHORT_PAYLOAD, Op
from glintfpga.hdl.link.message_writer import MessageWriter
from glintfpga.hdl.link_sizes import LARGE, SMALL
from support.component_bench import put

UNIT = 6
"""Bytes of the longest unit: a message is cut where another might not fit."""
all_sizes = pytest.mark.parametrize("sizes", [LARGE, SMALL], ids=["large", "small"])


class World:
    """A writer, and the ring behind it."""

    def __init__(self, sizes=LARGE):
        self.dut = MessageWriter(sizes=sizes)
        self.ring = bytearray(sizes.ring)
        self.messages, self.read = [], 0

    async def watch(self, ctx):
        """Store what is written; read what is committed."""
        ring = self.dut.ring
        async for _, _, valid, at, byte, committed in ctx.tick().sample(
            ring.valid, ring.address, ring.data, ring.committed
        ):
            if committed != self.read:
                size = (committed - self.read) % 65536
                span = (self.ring[(self.read + i) % len(self.ring)] for i in range(size))
                held = bytearray(span)
                self.messages.append(take_message(held))
                assert not held
                self.read = committed
            if valid:
                self.ring[at % len(self.ring)] = byte

    def run(self, script):
        async def main(ctx):
            await script(ctx)

        async def watch(ctx):
            await self.watch(ctx)

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(main)
        simulator.add_testbench(watch, background=True)
        simulator.run()


async def feed(ctx, dut, body, unit):
    """Bytes, each ``unit`` of them one that the message may be cut behind."""
    ctx.set(dut.message.op, Op.TOKENS)
    for index, byte in enumerate(body):
        payload = {"byte": byte, "end": (index + 1) % unit == 0}
        await put(ctx, dut.message.body, payload)


@all_sizes
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("unit", [1, 4, 5, 6])
def test_a_message_fits_a_frame(sizes, long, unit):
    """It is cut behind a unit, and not before another might not fit."""
    longest = (sizes.payload if long else SHORT_PAYLOAD) - MESSAGE_HEADER
    size = min(2 * longest + 100, sizes.ring - 200) // unit * unit
    body = bytes(index % 251 for index in range(size))
    world = World(sizes)

    async def script(ctx):
        ctx.set(world.dut.long, long)
        await ctx.tick()
        await feed(ctx, world.dut, body, unit)
        ctx.set(world.dut.close, 1)
        await ctx.tick().repeat(6)

    world.run(script)
    assert b"".join(got for _, got in world.messages) == body
    assert {op for op, _ in world.messages} == {Op.TOKENS}
    *cut, last = (len(got) for _, got in world.messages)
    assert cut and all(longest - 2 * UNIT < got <= longest and not got % unit for got in cut)
    assert 1 <= last <= longest


@pytest.mark.quick
def test_the_rate_changes_between_messages():
    world = World()

    async def script(ctx):
        for long in (0, 1, 0):
            ctx.set(world.dut.long, long)
            await ctx.tick()
            await feed(ctx, world.dut, bytes(500), 1)
            ctx.set(world.dut.close, 1)
            await ctx.tick().repeat(6)
            ctx.set(world.dut.close, 0)

    world.run(script)
    short = SHORT_PAYLOAD - MESSAGE_HEADER - UNIT + 1
    pieces = [short, short, 500 - 2 * short]
    assert [len(got) for _, got in world.messages] == [*pieces, 500, *pieces]


@all_sizes
def test_a_full_ring_stops_it(sizes):
    """Up to its last 16 bytes; it goes on where it was when there is room."""
    world = World(sizes)
    dut = world.dut

    async def script(ctx):
        ctx.set(dut.long, 1)
        ctx.set(dut.message.op, Op.SCORES)
        ctx.set(dut.message.body.payload, {"byte": 65, "end": 1})
        ctx.set(dut.message.body.valid, 1)
        await ctx.tick().repeat(sizes.ring + 300)
        assert not ctx.get(dut.message.body.ready)
        assert sizes.ring - 16 - sizes.payload < world.read <= sizes.ring - 16
        before = len(world.messages)
        ctx.set(dut.ring.oldest, world.read)
        await ctx.tick().repeat(sizes.ring + 300)
        assert len(world.messages) > before
        assert not ctx.get(dut.message.body.ready)

    world.run(script)
    assert all(set(got) == {65} and op == Op.SCORES for op, got in world.messages)


def test_silence_ends_a_message():
    """Behind a whole unit, one to two milliseconds after its last byte."""
    world = World()
    dut = world.dut

    async def script(ctx):
        async def tick_ms():
            ctx.set(dut.tick_ms, 1)
            await ctx.tick()
            ctx.set(dut.tick_ms, 0)
            await ctx.tick().repeat(8)

        await feed(ctx, dut, b"abc", 3)
        await tick_ms()
        assert not world.messages
        await tick_ms()
        assert world.messages == [(Op.TOKENS, b"abc")] and not ctx.get(dut.is_open)
        await feed(ctx, dut, b"de", 3)
        for _ in range(5):
            await tick_ms()
        assert len(world.messages) == 1 and ctx.get(dut.is_open)
        await put(ctx, dut.message.body, {"byte": ord("f"), "end": 1})
        for _ in range(2):
            await tick_ms()
        assert world.messages[1:] == [(Op.TOKENS, b"def")]

    world.run(script)
