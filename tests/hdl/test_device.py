# SPDX-License-Identifier: MIT
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.golden import GOLDEN_LANES
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import (
    Counters,
    Done,
    generate,
    load,
    message,
    prompt,
    score,
    take_message,
)
from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag, Op, SelfTest, Status
from glintfpga.hdl.device import Device
from glintfpga.hdl.row.machine import RowMachine
from glintfpga.hdl.service.service import Service
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.sampler import Sampler
from support.component_bench import simulate
from support.models import random_image

CLK_HZ = 27_000_000
LANES = 4
SPECS = (
    ModelSpec(loops=2, lora_targets=("q",), hidden=6, vocab=21, window=5, eos=20),
    ModelSpec(loops=1, lora_targets=("q",), hidden=1, vocab=300, window=9, eos=None),
)
FAST = (BAUDS[-1],) * len(BAUDS)


def image(index):
    return random_image(SPECS[index], seed=index)


def answers_of(held):
    """Split off the answers that are complete: (bodies by op and joined, DONE)."""
    answers, bodies = [], {}
    while (got := take_message(held)) is not None:
        op, body = got
        if op == Op.DONE:
            answers.append((bodies, Done.decode(body)))
            bodies = {}
        else:
            bodies[op] = bodies.get(op, b"") + body
    return answers


def oracle(commands, start):
    config = DeviceConfig(lanes=LANES)

    def model_of(data):
        return reference_model(data, config)

    device = SoftwareDevice(
        model=model_of(start.data) if start else None,
        load=model_of,
        sampler=Sampler(),
        info=config.hello(),
    )
    host, now, held, left = Endpoint(Role.HOST), 0.0, bytearray(), b"".join(commands)
    host.start_session(1, now)
    for _ in range(20_000):
        left = left[host.write(left) :]
        now += 0.0002
        device.feed(host.poll(now), now)
        host.feed(device.poll(now), now)
        held += host.read()
    return answers_of(held)


class Bytewise(wiring.Component):
    """A device whose line takes and gives whole bytes."""

    def __init__(self, start):
        config = DeviceConfig(lanes=LANES, clock_hz=CLK_HZ, build_id=b"bytewise")
        self.machine = machine = RowMachine(config, start)
        self.service = Service(clk_hz=CLK_HZ, info=machine.info, golden_run=machine.golden_run)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.service = self.service
        m.submodules.machine = self.machine
        wiring.connect(m, self.service.core, self.machine.core)
        wiring.connect(m, self.service.loader, self.machine.loader)
        return m


def run_bytewise(commands, start, *, byte=6):
    """All commands at once; returns the answers and the info of two HELLOs, first and last."""
    dut = Bytewise(start)
    service = dut.service
    host, held, infos = Endpoint(Role.HOST), bytearray(), []
    result = []

    async def bench(ctx):
        to_device = bytearray()
        cycle = 0
        ctx.set(service.tx_idle, 1)

        async def serve():
            nonlocal cycle
            now = cycle / CLK_HZ
            if not to_device:
                to_device.extend(host.poll(now, frames=1))
            if to_device:
                ctx.set(service.rx.data, to_device.pop(0))
                ctx.set(service.rx.valid, 1)
            ctx.set(service.tx.ready, 1)
            _, _, valid, data = await ctx.tick().sample(service.tx.valid, service.tx.payload)
            ctx.set(service.rx.valid, 0)
            ctx.set(service.tx.ready, 0)
            await ctx.tick().repeat(byte - 1)
            cycle += byte
            if valid:
                host.feed(bytes([data]), now)
                held.extend(host.read())

        async def hello(nonce):
            host.start_session(nonce, cycle / CLK_HZ)
            while not host.open:
                await serve()
            infos.append(host.info)

        await hello(1)
        left = b"".join(commands)
        for _ in range(30_000):
            left = left[host.write(left) :]
            await serve()
            result.extend(answers_of(held) if held.count(Op.DONE) else [])
            if len(result) == len(commands):
                break
        await hello(2)

    sim = Simulator(dut)
    sim.add_clock(1 / CLK_HZ)
    sim.add_testbench(bench)
    sim.run()
    return result, infos


def test_same_answers_as_the_software_device():
    start, other = image(0), image(1)
    commands = [
        prompt([1, 2, 3], 21),
        generate(6, temperature=300, seed=7, crc=True),
        score([4, 20], 21, logits=True),
        generate(3),
        *load(other.data[:300]),
        generate(1),
        *load(other.data, part=700),
        generate(3, temperature=500, crc=True),
        prompt([299, 0], 300),
        score([256], 300),
    ]
    expected = oracle(commands, start)
    got, infos = run_bytewise(commands, start)
    statuses = [done.status for _, done in expected]
    assert statuses[4:8] == [Status.OK, Status.BAD_IMAGE, Status.NO_LOAD, Status.NO_MODEL]
    assert set(statuses[:4] + statuses[8:]) == {Status.OK}
    assert got == expected
    before, after = infos
    assert before.flags == HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE
    assert (before.image_header, before.image_crc) == (start.header, start.crc)
    assert before.self_test == after.self_test == SelfTest.PASSED
    assert after.flags == HelloFlag.MODEL
    assert (after.image_header, after.image_crc) == (other.header, other.crc)
    assert after.build_id == b"bytewise" and after.clock_hz == CLK_HZ


def test_starts_without_a_model():
    commands = [generate(1), *load(image(0).data), generate(2, crc=True)]
    got, infos = run_bytewise(commands, None)
    assert got == oracle(commands, None)
    assert (infos[0].flags, infos[0].image_header, infos[0].image_crc) == (0, b"", 0)
    assert (infos[1].image_header, infos[1].image_crc) == (image(0).header, image(0).crc)
    assert [info.self_test for info in infos] == [SelfTest.NO_MODEL, SelfTest.PASSED]


ANY_LANES = [
    (2, PLAN12),
    (4, PLAN12),
    pytest.param(8, PLAN12, marks=pytest.mark.slow),
    pytest.param(2, PLAN9, marks=pytest.mark.slow),
    (4, PLAN9),
]


@pytest.mark.parametrize(("lanes", "plan"), ANY_LANES)
def test_self_test_with_any_lanes(lanes, plan):
    """It passes with the image's own golden value, and with no other."""
    spec = ModelSpec(loops=1, lora_targets=("q",), hidden=5, vocab=9, window=5, eos=None)
    good = random_image(spec, plan, seed=lanes)
    wrong = list(good.golden)
    wrong[GOLDEN_LANES.index(lanes)] ^= 1 << 16

    for start in (good, Image.with_golden(good.model, tuple(wrong))):
        device = Device(RowMachine(DeviceConfig(lanes=lanes, plan=plan, clock_hz=CLK_HZ), start))
        seen = []

        async def watch(ctx, device=device, seen=seen):
            await ctx.tick().repeat(4000)
            assert ctx.get(device.status.idle)
            seen += [ctx.get(device.status.failed), ctx.get(device.status.error)]

        simulate(device, watch)
        assert seen == [start is not good] * 2


def test_over_the_serial_line():
    start = image(0)
    config = DeviceConfig(lanes=LANES, clock_hz=CLK_HZ, build_id=b"wire", bauds=FAST)
    device = Device(RowMachine(config, start))
    bit = CLK_HZ // FAST[0]
    host, held = Endpoint(Role.HOST), bytearray()
    commands = [prompt([5], 21), generate(3, temperature=300, crc=True), message(Op.COUNTERS)]
    got = []
    cycle = 0

    async def send(ctx):
        left = b"".join(commands)
        host.start_session(1, 0.0)
        while len(got) < len(commands):
            left = left[host.write(left) :]
            data = host.poll(cycle / CLK_HZ)
            for byte in data:
                for level in [0, *(byte >> i & 1 for i in range(8)), 1]:
                    ctx.set(device.rx, level)
                    await ctx.tick().repeat(bit)
            if not data:
                await ctx.tick().repeat(bit)
        assert ctx.get(device.status.idle) and not ctx.get(device.status.error)

    async def receive(ctx):
        nonlocal cycle
        bits, last, since = [], 1, 0
        async for _, _, level in ctx.tick().sample(device.tx):
            cycle += 1
            if not bits and last and not level:
                bits, since = [0], 0
            elif bits:
                since += 1
                if since == len(bits) * bit + bit // 2:
                    bits.append(level)
                    if len(bits) == 10:
                        assert level == 1
                        byte = sum(value << i for i, value in enumerate(bits[1:9]))
                        host.feed(bytes([byte]), cycle / CLK_HZ)
                        held.extend(host.read())
                        got.extend(answers_of(held) if held else [])
                        bits = []
            last = level

    sim = Simulator(device)
    sim.add_clock(1 / CLK_HZ)
    sim.add_testbench(send)
    sim.add_testbench(receive, background=True)
    sim.run()
    assert got[:2] == oracle(commands, start)[:2]
    counters = Counters.decode(got[2][0][Op.COUNTED])
    assert (counters.tokens, counters.prefill_tokens) == (3, 1)
    assert 3 * 50 < counters.total_cycles < 3 * 400
    assert counters.prefill_cycles > 40
    assert (counters.dropped, counters.crc_errors, counters.retries) == (0, 0, 0)
