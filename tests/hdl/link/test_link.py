# SPDX-License-Identifier: MIT
import random

import pytest

from glintfpga.firmware.wire.frames import FrameSplitter, Hello, parse_frame
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    MAX_PAYLOAD,
    SHORT_PAYLOAD,
    TO_DEVICE_RING,
    payload_limit,
)
from support.link_bench import BYTE, INFO, Host, Line, data, echo_of, frames_of, switch_to


def test_echo_through_a_clean_line():
    line = Line()
    host = Host(line)
    data = random.Random(2).randbytes(4000)

    async def script(ctx):
        await host.open(ctx, 0xDEADBE00)
        assert host.endpoint.info == INFO
        start = line.cycle
        assert await host.exchange(ctx, data) == echo_of(data)
        # One line time of the data, a frame of delay each way, and what the framing costs.
        assert line.cycle - start < 1.2 * BYTE * len(data) + 2000 * BYTE
        await host.serve(ctx, 500)
        assert line.counts(ctx) == [0, 0, 0]

    line.run(script)


@pytest.mark.parametrize("seed", [0, 2])
def test_echo_through_a_noisy_line(seed):
    line = Line(seed=seed, faults=0.003)
    host = Host(line)
    data = random.Random(seed).randbytes(1500)

    async def script(ctx):
        await host.open(ctx, seed)
        assert await host.exchange(ctx, data) == echo_of(data)
        dropped, damaged, retries = line.counts(ctx)
        assert dropped >= damaged > 0 < retries

    line.run(script)


def test_a_stalled_application_stalls_the_host_and_nothing_is_lost():
    line = Line(seed=5)
    host = Host(line)
    data = random.Random(3).randbytes(2 * TO_DEVICE_RING + 500)

    async def script(ctx):
        await host.open(ctx, 9)
        ctx.set(line.dut.enable, 0)
        sent = host.endpoint.write(data[:TO_DEVICE_RING])
        await host.serve(ctx, 3500)
        assert host.endpoint.unacked == 0
        sent += host.endpoint.write(data[sent:])
        await host.serve(ctx, 800)
        assert host.endpoint.unacked > 0
        ctx.set(line.dut.enable, 1)
        out, left = bytearray(), bytearray(data[sent:])
        while len(out) < len(data):
            del left[: host.endpoint.write(bytes(left))]
            out += host.endpoint.read()
            await host.serve(ctx)
        assert bytes(out) == echo_of(data)

    line.run(script)


def test_a_new_session_at_any_time():
    line = Line(seed=7)
    host = Host(line)
    rng = random.Random(7)

    async def script(ctx):
        for nonce in range(5):
            await host.open(ctx, nonce)
            data = rng.randbytes(3000)
            part = await host.exchange(ctx, data, stop=rng.randrange(1, 2000))
            assert part == echo_of(data)[: len(part)]
            # Half a frame, or noise, may be on the line when the next HELLO comes.
            del line.to_device[rng.randrange(1 + len(line.to_device)) :]
            line.to_device += rng.randbytes(rng.randrange(40))

    line.run(script)


def test_the_timer_rewinds_eight_times():
    line = Line(clk_hz=40_000)  # mostly waiting: few cycles a millisecond

    async def script(ctx):
        line.send(Hello(7).encode() + data(payload=b"ab"))
        await frames_of(line, ctx, 400)
        frames = await frames_of(line, ctx, 12 * 51 * line.clk_hz // 1000 // BYTE)
        assert [(f.offset, f.payload) for f in frames] == [(0, b"bc")] * 8
        line.send(data(offset=2))
        frames = await frames_of(line, ctx, 7 * 51 * line.clk_hz // 2000 // BYTE)
        assert len(frames) == 4  # one for the repeated ack
        line.send(data(offset=2, ack=2))
        await frames_of(line, ctx, 40)
        assert await frames_of(line, ctx, 3 * 51 * line.clk_hz // 1000 // BYTE) == []

    line.run(script)


def test_baud_switch_and_fall_back():
    line = Line(clk_hz=40_000)
    link = line.dut.link

    async def script(ctx):
        first = True

        async def switch(index):
            ctx.set(link.switch.payload, index)
            ctx.set(link.switch.valid, 1)

        async def pass_time(seconds):
            while line.to_device:
                await line.byte_time(ctx)
            ctx.set(link.tx.ready, 1)
            await ctx.tick().repeat(int(seconds * line.clk_hz))

        line.send(Hello(7).encode() + data(payload=b"a"))
        await pass_time(0.03)
        await switch(3)
        await pass_time(0.03)
        assert ctx.get(link.baud) == 0  # the echo is not acked
        line.send(data(offset=1, ack=1))
        await pass_time(0.03)
        assert ctx.get(link.baud) == 3
        ctx.set(link.switch.valid, 0)
        # A valid frame within a second, and work, keep the rate; noise does not.
        await pass_time(0.9)
        line.send(data(offset=1, ack=1))
        await pass_time(0.9)
        ctx.set(link.core_busy, 1)
        await pass_time(0.3)
        ctx.set(link.core_busy, 0)
        line.send(b"\1\2\3\0")
        await pass_time(0.9)
        assert ctx.get(link.baud) == 3
        await pass_time(0.2)
        assert ctx.get(link.baud) == 0
        # Fifteen errors, a frame, fifteen errors, one more.
        await switch(len(BAUDS) - 1)
        await pass_time(0.03)
        ctx.set(link.switch.valid, 0)
        for count, expected in ((15, len(BAUDS) - 1), (15, len(BAUDS) - 1), (1, 0)):
            ctx.set(link.rx.error, 1)
            line.to_device += b"x" * count
            await pass_time(0.005)
            ctx.set(link.rx.error, 0)
            assert ctx.get(link.baud) == expected
            if first:
                first = False
                line.send(b"\0" + data(offset=1, ack=1))
                await pass_time(0.005)

    line.run(script)


def test_long_frames_at_the_higher_rates():
    """What comes while a frame is on its way out makes the next one."""
    line = Line(byte=3)
    host = Host(line)
    text = random.Random(4).randbytes(5000)

    async def script(ctx):
        await host.open(ctx, 7)
        for index, size in ((0, 700), (1, 5000), (0, 700)):
            await host.serve(ctx, 300)
            await switch_to(line, ctx, index)
            host.endpoint.payload_limit = payload_limit(BAUDS[index])
            host.heard.clear()
            assert await host.exchange(ctx, text[:size]) == echo_of(text[:size])
            frames = [parse_frame(raw) for raw in FrameSplitter().feed(bytes(host.heard))]
            longest = max(len(frame.payload) for frame in frames)
            assert longest <= MAX_PAYLOAD and (longest > SHORT_PAYLOAD) == bool(index)
        assert line.counts(ctx) == [0, 0, 0]

    line.run(script)
