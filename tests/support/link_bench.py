# SPDX-License-Identifier: MIT
"""A `Link` whose application echoes, a byte-timed line with faults, and the host at its end."""

import random

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.frames import Data, FrameSplitter, parse_frame
from glintfpga.firmware.wire.protocol import (
    CREDIT_UNIT,
    MAX_CREDIT,
    TO_DEVICE_RING,
    TO_HOST_RING,
)
from glintfpga.hdl.link.link import Link

__all__ = [
    *("BYTE", "CLK_HZ", "INFO", "Host", "Line"),
    *("data", "echo_of", "empty", "frames_of", "switch_to"),
]

CLK_HZ = 200_000  # a millisecond is 200 cycles
BYTE = 5  # cycles that a byte takes on the line
INFO = RowFacts().hello(build_id=b"test\0run", image_header=bytes(range(96)))


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
            link.o.ready.eq(
                self.enable & ((link.ring.committed - link.ring.oldest)[:14] != TO_HOST_RING)
            ),
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

    def __init__(self, *, seed=0, faults=0.0, clk_hz=CLK_HZ, byte=BYTE, info=None):
        self.rng = random.Random(seed)
        self.faults = faults
        self.clk_hz = clk_hz
        self.byte = byte
        self.info = info or INFO.encode()
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
        await ctx.tick().repeat(self.byte - 1)
        self.cycle += self.byte

    def run(self, script):
        async def info(ctx):
            link = self.dut.link
            ctx.set(link.info_length, len(self.info))
            async for _, _, enable, address in ctx.tick().sample(
                link.info.enable, link.info.address
            ):
                if enable:
                    ctx.set(link.info.data, self.info[address])

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
        self.heard = bytearray()
        self.endpoint = Endpoint(Role.HOST)
        self.endpoint.retry_s = 0.1

    async def serve(self, ctx, byte_times=1):
        for _ in range(byte_times):
            line = self.line
            if line.from_device:
                self.heard += line.from_device
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


async def frames_of(line, ctx, byte_times):
    line.from_device.clear()
    for _ in range(byte_times):
        await line.byte_time(ctx)
    return [parse_frame(raw) for raw in FrameSplitter().feed(bytes(line.from_device))]


async def switch_to(line, ctx, index):
    """Change the rate; everything must be acked."""
    link = line.dut.link
    ctx.set(link.switch.payload, index)
    ctx.set(link.switch.valid, 1)
    await ctx.tick().until(link.switch.ready)
    ctx.set(link.switch.valid, 0)
    await ctx.tick()
    assert ctx.get(link.baud) == index


def data(**fields):
    whole = {"session": 7, "offset": 0, "ack": 0, "credit": MAX_CREDIT} | fields
    return Data(**whole).encode()


def empty(ack, credit=TO_DEVICE_RING // CREDIT_UNIT, offset=0):
    return Data(session=7, offset=offset, ack=ack, credit=credit)
