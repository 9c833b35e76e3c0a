# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.sim import Simulator

from glintfpga.firmware.wire.protocol import (
    DATA_HEADER,
    MAX_PAYLOAD,
    Data,
    FrameError,
    FrameSplitter,
    Hello,
    HelloInfo,
    HelloReply,
    decode_frame,
    encode_frame,
    parse_frame,
)
from glintfpga.hdl.link.framing import FIRST_BYTE, FrameReceiver, FrameTransmitter


def simulate(dut, *benches, background=()):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for bench in benches:
        sim.add_testbench(bench)
    for bench in background:
        sim.add_testbench(bench, background=True)
    sim.run()


def random_data(rng, size=None):
    size = rng.choice([0, 1, 2, 17, MAX_PAYLOAD - 1, MAX_PAYLOAD]) if size is None else size
    zeros = rng.choice([0.0, 0.1, 1.0])
    payload = bytes(0 if rng.random() < zeros else rng.randrange(256) for _ in range(size))
    return Data(
        session=rng.randrange(256),
        flags=rng.randrange(2),
        offset=rng.randrange(65536),
        ack=rng.randrange(65536),
        credit=rng.randrange(129),
        payload=payload,
    )


def expected_events(line):
    events = []
    for raw in FrameSplitter().feed(line):
        try:
            frame = parse_frame(raw)
        except FrameError as error:
            events.append("damaged" if error.damaged else "foreign")
            continue
        match frame:
            case HelloReply():
                events.append("foreign")
            case _:
                events.append(frame)
    return events


def received_events(line, *, errors=()):
    dut = FrameReceiver()
    events, payload = [], bytearray()

    async def drive(ctx):
        for index, byte in enumerate(line):
            ctx.set(dut.i.data, byte)
            ctx.set(dut.i.error, index in errors)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(3)
        await ctx.tick().repeat(4)

    async def watch(ctx):
        while True:
            await ctx.tick()
            if ctx.get(dut.start):
                payload.clear()
            if ctx.get(dut.payload_valid):
                payload.append(ctx.get(dut.payload))
            for name in ("damaged", "foreign"):
                if ctx.get(getattr(dut, name)):
                    events.append(name)
            header = ctx.get(dut.header)
            if ctx.get(dut.hello):
                events.append(Hello(header.session | header.flags << 8 | header.offset << 16))
            if ctx.get(dut.data_frame):
                size = ctx.get(dut.length)
                assert len(payload) == size + 4
                events.append(
                    Data(
                        session=header.session,
                        flags=header.flags,
                        offset=header.offset,
                        ack=header.ack,
                        credit=header.credit,
                        payload=bytes(payload[:size]),
                    )
                )

    simulate(dut, drive, background=[watch])
    return events


def test_receives_what_the_protocol_module_receives():
    rng = random.Random(1)
    info = HelloInfo(lanes=4, plan=12)
    frames = [random_data(rng) for _ in range(12)]
    pieces = [frame.encode() for frame in frames]
    pieces += [Hello(0x12003400).encode(), HelloReply(7, info).encode(), b"\0\0"]
    pieces += [encode_frame(bytes([0x22]) + bytes(11)), encode_frame(bytes([0x13]) + bytes(11))]
    firsts = [bytes([first]) for first in FIRST_BYTE.values()]
    pieces += [encode_frame(first + bytes(n)) for first in firsts for n in (0, 5, 6)]
    pieces += [encode_frame(bytes([0x12]) + bytes(DATA_HEADER + MAX_PAYLOAD)), b"\1\0", b"\5\1\0"]
    pieces += [bytes(rng.randrange(1, 256) for _ in range(n)) + b"\0" for n in (1, 40, 300, 1000)]
    rng.shuffle(pieces)
    line = b"".join(pieces) + Hello(5).encode()
    assert received_events(line) == expected_events(line)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_lost_and_doubled_bytes_are_found(seed):
    rng = random.Random(seed)
    line = bytearray()
    for _ in range(12):
        frame = bytearray(random_data(rng, rng.randrange(20)).encode())
        at = rng.randrange(len(frame))
        match rng.randrange(4):
            case 0:
                frame[at] ^= 1 << rng.randrange(8)
            case 1:
                del frame[at]
            case 2:
                frame.insert(at, frame[at])
        line += frame
    line += b"\0" + Hello(seed).encode()
    events = received_events(bytes(line))
    assert events == expected_events(bytes(line))
    assert events[-1] == Hello(seed)


@pytest.mark.quick
def test_a_framing_error_damages_the_frame():
    line = Hello(1).encode() + Hello(2).encode() + Hello(3).encode()
    size = len(Hello(1).encode())
    assert received_events(line, errors=[size + 4]) == [Hello(1), "damaged", Hello(3)]


async def feed_body(ctx, dut, rng, body):
    for index, byte in enumerate(body):
        if rng.random() < 0.1:
            await ctx.tick().repeat(rng.randrange(1, 5))
        ctx.set(dut.i.payload, {"byte": byte, "last": index == len(body) - 1})
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)


async def feed_part(ctx, dut, body, size):
    for byte in body[: min(size, len(body) - 1)]:
        ctx.set(dut.i.payload, {"byte": byte, "last": 0})
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)


async def read_wire(ctx, dut, rng, out, every):
    async for _, _, valid, ready, byte in ctx.tick().sample(
        dut.o.valid, dut.o.ready, dut.o.payload
    ):
        if valid and ready:
            out.append(byte)
        ctx.set(dut.o.ready, rng.randrange(every) == 0)


@pytest.mark.parametrize("every", [1, 12])
def test_sends_what_the_protocol_module_sends(every):
    rng = random.Random(every)
    dut = FrameTransmitter()
    frames = [random_data(rng).encode() for _ in range(10)]
    frames += [encode_frame(bytes(5)), encode_frame(bytes(200)), encode_frame(b"\1" * 200)]
    out = bytearray()

    async def feed(ctx):
        for frame in frames:
            await feed_body(ctx, dut, rng, decode_frame(frame[:-1]))
        await ctx.tick().repeat(12)
        await ctx.tick().until(dut.idle)

    async def read(ctx):
        await read_wire(ctx, dut, rng, out, every)

    simulate(dut, feed, background=[read])
    assert bytes(out) == b"".join(frames)


@pytest.mark.parametrize("strobe", ["abort", "flush"])
@pytest.mark.parametrize("fed", [1, 5, 6, 7, 8, 11, 14])
def test_forgets_frames(strobe, fed):
    """A frame on the wire, one waiting, one being fed; then the strobe; then another."""
    dut = FrameTransmitter()
    rng = random.Random(fed)
    bodies = [bytes([i + 1] * 6) for i in range(4)]
    out = bytearray()

    async def feed(ctx):
        await feed_body(ctx, dut, rng, bodies[0])
        if strobe == "flush":
            await feed_body(ctx, dut, rng, bodies[1])
        else:
            ctx.set(dut.o.ready, 1)
            await ctx.tick().until(dut.idle)
            await feed_part(ctx, dut, bodies[2], fed)
        await ctx.tick().repeat(fed)
        ctx.set(getattr(dut, strobe), 1)
        await ctx.tick()
        ctx.set(getattr(dut, strobe), 0)
        ctx.set(dut.o.ready, 1)
        await feed_body(ctx, dut, rng, bodies[3])
        await ctx.tick().repeat(60)

    async def watch(ctx):
        async for _, _, sent, byte in ctx.tick().sample(dut.o.valid & dut.o.ready, dut.o.payload):
            if sent:
                out.append(byte)

    simulate(dut, feed, background=[watch])
    expected = [encode_frame(bodies[0]), encode_frame(bodies[3])]
    assert bytes(out) == b"".join(expected)
