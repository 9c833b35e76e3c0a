# SPDX-License-Identifier: MIT
"""A `Service` between a toy core and the host's endpoint, and what it has to answer."""

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import Done, take_message
from glintfpga.firmware.wire.protocol import BAUDS, MESSAGE_HEADER, Op, payload_limit
from glintfpga.hdl.core_port import LoaderPort
from glintfpga.hdl.hello_layout import image_at
from glintfpga.hdl.link_sizes import LARGE
from glintfpga.hdl.row.image_loader import ImageLoader
from glintfpga.hdl.row.machine import RowMachine
from glintfpga.hdl.service.service import Service
from glintfpga.quant.numbers.sampler import Sampler
from support.models import hash_model
from support.toy_core import POWER_UP

__all__ = ["BYTE", "CLK_HZ", "Bench", "oracle"]

CLK_HZ = 1_000_000
BYTE = 5


class Bed(Elaboratable):
    """A service with the loader of the row machine; both wait for a core."""

    def __init__(self, info, sizes):
        self.service = Service(
            clk_hz=CLK_HZ, info=info, golden_run=RowMachine.golden_run, sizes=sizes
        )
        self.loader = ImageLoader(DeviceConfig(), image_at=image_at(info))

    def elaborate(self, platform):
        m = Module()
        m.submodules.service = self.service
        m.submodules.loader = self.loader
        for name, member in LoaderPort.members.items():
            ours, theirs = getattr(self.service.loader, name), getattr(self.loader, name)
            if member.is_signature:
                wiring.connect(m, ours, theirs)
            elif member.flow is Out:
                m.d.comb += theirs.eq(ours)
            else:
                m.d.comb += ours.eq(theirs)
        return m


class Bench:
    """A service with a toy core, and the host's endpoint on a clean line."""

    def __init__(self, core, *, info=None, byte=BYTE, sizes=LARGE):
        self.core = core
        self.byte = byte
        self.sizes = sizes
        self.info = info or POWER_UP
        self.bed = Bed(self.info, sizes)
        self.dut = self.bed.service
        self.host = Endpoint(Role.HOST)
        self.host.retry_s = 0.1
        self.cycle = 0
        self.to_device, self.held, self.wire = bytearray(), bytearray(), bytearray()

    async def serve(self, ctx, byte_times=1):
        for _ in range(byte_times):
            now = self.cycle / CLK_HZ
            if not self.to_device:
                self.to_device += self.host.poll(now, frames=1)
            if self.to_device:
                ctx.set(self.dut.rx.data, self.to_device.pop(0))
                ctx.set(self.dut.rx.valid, 1)
            ctx.set(self.dut.tx.ready, 1)
            _, _, valid, byte = await ctx.tick().sample(self.dut.tx.valid, self.dut.tx.payload)
            ctx.set(self.dut.rx.valid, 0)
            ctx.set(self.dut.tx.ready, 0)
            await ctx.tick().repeat(self.byte - 1)
            self.cycle += self.byte
            if valid:
                self.wire.append(byte)
                self.host.feed(bytes([byte]), now)
                self.held += self.host.read()

    async def open(self, ctx, nonce=1):
        self.held.clear()
        self.to_device.clear()
        self.host.start_session(nonce, self.cycle / CLK_HZ)
        for _ in range(5000):
            await self.serve(ctx)
            if self.host.open:
                return self.host.info
        raise AssertionError("no answer to hello")

    async def send(self, ctx, data):
        while data:
            data = data[self.host.write(data) :]
            await self.serve(ctx)

    async def next_message(self, ctx, limit=60_000):
        for _ in range(limit):
            if (got := take_message(self.held)) is not None:
                return got
            await self.serve(ctx)
        raise AssertionError("no message")

    async def answer(self, ctx):
        """Bodies by op and joined, and the DONE."""
        bodies: dict[int, bytes] = {}
        while True:
            op, body = await self.next_message(ctx)
            if op == Op.DONE:
                return bodies, Done.decode(body)
            assert 1 <= len(body) <= self.longest(ctx) - MESSAGE_HEADER
            bodies[op] = bodies.get(op, b"") + body

    def longest(self, ctx):
        """Bytes of the longest payload of the device at the rate of now."""
        return min(self.sizes.payload, payload_limit(BAUDS[ctx.get(self.dut.baud)]))

    async def ask(self, ctx, data):
        await self.send(ctx, data)
        return await self.answer(ctx)

    def run(self, script):
        async def main(ctx):
            ctx.set(self.dut.tx_idle, 1)
            await self.open(ctx)
            await script(ctx)

        async def core(ctx):
            await self.core.run(ctx, self.dut.core, self.bed.loader.load)

        sim = Simulator(self.bed)
        sim.add_clock(1 / CLK_HZ)
        sim.add_testbench(main)
        sim.add_testbench(core, background=True)
        sim.run()


def oracle(commands, *, vocab=257, eos=256, script=(), load=None):
    """What the software device answers: (bodies, DONE) of each command, and the context.

    ``load`` makes the model of an image's bytes.
    """
    model: Any = hash_model(vocab, eos, script)
    device = SoftwareDevice(model=model, load=load, sampler=Sampler(), info=DeviceConfig().hello())
    host, now, held, answers = Endpoint(Role.HOST), 0.0, bytearray(), []
    host.start_session(1, now)
    for command in commands:
        left = command
        bodies: dict[int, bytes] = {}
        while True:
            left = left[host.write(left) :]
            now += 0.0002
            device.feed(host.poll(now), now)
            host.feed(device.poll(now), now)
            held += host.read()
            got = take_message(held)
            if got is None:
                continue
            if got[0] == Op.DONE:
                break
            bodies[got[0]] = bodies.get(got[0], b"") + got[1]
        answers.append((bodies, Done.decode(got[1])))
    return answers, model.numerics.context, device.counters
