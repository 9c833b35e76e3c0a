# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    RING,
    Data,
    DataFlag,
    FrameSplitter,
    Hello,
    HelloInfo,
    HelloReply,
    parse_frame,
)
from glintfpga.hdl.link.link import Link

CLK_HZ = 200_000  # a millisecond is 200 cycles
BYTE = 5  # cycles that a byte takes on the line
INFO = HelloInfo(lanes=4, plan=12, build_id=b"test\0run", image_header=bytes(range(96)))


class Echo(wiring.Component):
    """A link whose application sends everything back, ``step`` added, while ``enable`` is set."""

    enable: In(1, init=1)
    dropped: Out(16)
    damaged: Out(16)
    retry: Out(16)

    def __init__(self, clk_hz):
        super().__init__()
        self.link = Link(clk_hz=clk_hz)

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self.link
        m.d.comb += [
            link.o.ready.eq(self.enable & ((link.ring.committed - link.ring.oldest)[:12] != RING)),
            link.ring.valid.eq(link.o.valid & link.o.ready),
            link.ring.address.eq(link.ring.committed),
            link.ring.data.eq(link.o.payload + 1),
        ]
        with m.If(link.ring.valid):
            m.d.sync += link.ring.committed.eq(link.ring.committed + 1)
        with m.If(link.hello):
            m.d.sync += link.ring.committed.eq(0)
        m.d.sync += [
            self.dropped.eq(self.dropped + link.dropped),
            self.damaged.eq(self.damaged + link.damaged),
            self.retry.eq(self.retry + link.retry),
        ]
        return m


class Line:
    """Byte-timed wire between a simulated link and Python, with faults in both directions."""

    def __init__(self, *, seed=0, faults=0.0, clk_hz=CLK_HZ):
        self.rng = random.Random(seed)
        self.faults = faults
        self.clk_hz = clk_hz
        self.dut = Echo(clk_hz)
        self.to_device = bytearray()
        self.from_device = bytearray()
        self.cycle = 0

    @property
    def now(self):
        return self.cycle / self.clk_hz

    def counts(self, ctx):
        return [ctx.get(self.dut.dropped), ctx.get(self.dut.damaged), ctx.get(self.dut.retry)]

    def damage(self, data):
        out = bytearray()
        for byte in data:
            dice = self.rng.random()
            if dice < self.faults / 3:
                out.append(byte ^ 1 << self.rng.randrange(8))
            elif dice < self.faults * 2 / 3:
                pass
            elif dice < self.faults:
                out += bytes([byte, self.rng.randrange(256)])
            else:
                out.append(byte)
        return out

    def send(self, data):
        self.to_device += self.damage(data)

    async def byte_time(self, ctx):
        """Pass the time of one byte: one byte in, at most one out."""
        link = self.dut.link
        if self.to_device:
            ctx.set(link.rx.data, self.to_device.pop(0))
            ctx.set(link.rx.valid, 1)
        ctx.set(link.tx.ready, 1)
        _, _, valid, byte = await ctx.tick().sample(link.tx.valid, link.tx.payload)
        ctx.set(link.rx.valid, 0)
        ctx.set(link.tx.ready, 0)
        if valid:
            self.from_device += self.damage(bytes([byte]))
        await ctx.tick().repeat(BYTE - 1)
        self.cycle += BYTE

    def run(self, script):
        async def info(ctx):
            link = self.dut.link
            data = INFO.encode()
            async for _, _, enable, address in ctx.tick().sample(
                link.info.enable, link.info.address
            ):
                if enable:
                    ctx.set(link.info.data, data[address])

        async def main(ctx):
            ctx.set(self.dut.link.tx_idle, 1)
            await script(ctx)

        sim = Simulator(self.dut)
        sim.add_clock(1 / self.clk_hz)
        sim.add_testbench(main)
        sim.add_testbench(info, background=True)
        sim.run()


class Host:
    """The endpoint of the host on a `Line`."""

    def __init__(self, line):
        self.line = line
        self.endpoint = Endpoint(Role.HOST)
        self.endpoint.retry_s = 0.1

    async def serve(self, ctx, byte_times=1):
        for _ in range(byte_times):
            line = self.line
            if line.from_device:
                self.endpoint.feed(bytes(line.from_device), line.now)
                line.from_device.clear()
            if not line.to_device:
                line.send(self.endpoint.poll(line.now, frames=1))
            await line.byte_time(ctx)

    async def open(self, ctx, nonce):
        self.endpoint.start_session(nonce, self.line.now)
        for _ in range(40_000):
            await self.serve(ctx)
            if self.endpoint.open:
                return
        raise AssertionError("no answer to hello")

    async def exchange(self, ctx, data, *, limit=200_000, stop=None):
        """Write all of ``data``, read until as much has come back."""
        out, left = bytearray(), bytearray(data)
        for _ in range(limit):
            del left[: self.endpoint.write(bytes(left))]
            out += self.endpoint.read()
            if len(out) >= (len(data) if stop is None else stop):
                return bytes(out)
            await self.serve(ctx)
        raise AssertionError(f"{len(out)} of {len(data)} bytes came back")


def echo_of(data):
    return bytes((byte + 1) % 256 for byte in data)


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
    data = random.Random(3).randbytes(2 * RING + 500)

    async def script(ctx):
        await host.open(ctx, 9)
        ctx.set(line.dut.enable, 0)
        sent = host.endpoint.write(data)
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


async def frames_of(line, ctx, byte_times):
    line.from_device.clear()
    for _ in range(byte_times):
        await line.byte_time(ctx)
    return [parse_frame(raw) for raw in FrameSplitter().feed(bytes(line.from_device))]


def data(**fields):
    return Data(**{"session": 7, "offset": 0, "ack": 0, "credit": 128} | fields).encode()


def test_answers_frame_by_frame():
    """What is answered, and with what, without a host that hides it."""
    line = Line()

    async def script(ctx):
        ctx.set(line.dut.enable, 0)

        async def answer(*frames):
            line.send(b"".join(frames))
            return await frames_of(line, ctx, 260 + sum(map(len, frames)))

        def empty(ack, credit=128, offset=0):
            return Data(session=7, offset=offset, ack=ack, credit=credit)

        # Nothing is said before a session.
        assert await answer(data(flags=DataFlag.POLL), b"\1\2\3\0", data(payload=b"x")) == []
        assert await answer(Hello(0x107).encode()) == [HelloReply(0x107, INFO)]
        assert await answer(data()) == []
        assert await answer(data(flags=DataFlag.POLL)) == [empty(0)]
        assert await answer(data(session=8, flags=DataFlag.POLL)) == []
        assert await answer(b"\1\2\3\0") == [empty(0)]
        assert await answer(data(payload=b"abc")) == [empty(3, 127)]
        assert await answer(data(payload=b"abc")) == [empty(3, 127)]
        assert await answer(data(offset=4, payload=b"abc")) == [empty(3, 127)]
        # Acks of bytes that never were, with and without a POLL.
        assert await answer(data(offset=3, ack=1)) == []
        assert await answer(data(offset=3, ack=65535, flags=DataFlag.POLL)) == [empty(3, 127)]
        # Up to full, one byte too many, and full.
        at = 3
        while at < RING - 192:
            assert await answer(data(offset=at, payload=bytes(192))) != []
            at += 192
        assert await answer(data(offset=at, payload=bytes(RING - at + 1))) == [
            empty(at, (RING - at) // 16)
        ]
        assert await answer(data(offset=at, payload=bytes(RING - at))) == [empty(RING, 0)]
        assert await answer(data(offset=RING, payload=b"x")) == [empty(RING, 0)]
        # The application wakes: an echo in order.
        ctx.set(line.dut.enable, 1)
        frames = await frames_of(line, ctx, 3500)
        sent = b""
        for frame in frames:
            assert frame.offset == len(sent)
            sent += frame.payload
        assert sent == echo_of(b"abc" + bytes(RING - 3))
        assert frames[-1].credit == 128
        # A repeated ack rewinds, once, and sending stays within the credit.
        again = await answer(data(offset=RING, credit=20), bytes(300))
        assert [(f.offset, len(f.payload)) for f in again] == [(0, 192), (192, 128)]
        assert await answer(data(offset=RING, credit=20)) == []
        (more,) = await answer(data(offset=RING, ack=320, credit=1))
        assert (more.offset, more.payload) == (320, echo_of(bytes(16)))
        # Dropped: two before and one wrong session, two damaged, three not next, one too big, one
        # into a full ring.
        assert line.counts(ctx) == [9, 2, 1]

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
