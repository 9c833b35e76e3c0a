# SPDX-License-Identifier: MIT
import random

import pytest
from amaranth.sim import Simulator
from cobs import cobs

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.frames import (
    Data,
    FrameSplitter,
    Hello,
    HelloReply,
    decode_frame,
    encode_frame,
    parse_frame,
)
from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    DATA_HEADER,
    HELLO_HEADER,
    MAX_PAYLOAD,
    TO_DEVICE_PAYLOAD,
    FrameError,
    frame_bytes,
)
from glintfpga.hdl.link.framing import FIRST_BYTE, FrameReceiver, FrameTransmitter

RECEIVED = (0, 1, 2, 17, TO_DEVICE_PAYLOAD - 1, TO_DEVICE_PAYLOAD)
SENT = (0, 1, 2, 17, 253, 300)
EDGES = (*range(240, 248), 253, 254, 255, *range(495, 502), 507, 508, 509, 512)
"""Payloads around one and two blocks of 254 bytes, from the header's last zero to within the CRC,
and around as many bytes themselves."""


def simulate(dut, *benches, background=()):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for bench in benches:
        sim.add_testbench(bench)
    for bench in background:
        sim.add_testbench(bench, background=True)
    sim.run()


def random_data(rng, size=None, sizes=RECEIVED):
    size = rng.choice(sizes) if size is None else size
    zeros = rng.choice([0.0, 0.1, 1.0])
    payload = bytes(0 if rng.random() < zeros else rng.randrange(256) for _ in range(size))
    return data(
        payload,
        session=rng.randrange(256),
        flags=rng.randrange(2),
        offset=rng.randrange(65536),
        ack=rng.randrange(65536),
        credit=rng.randrange(256),
    )


def data(payload, **fields):
    whole = {"session": 7, "flags": 0, "offset": 0x1234, "ack": 0x5678, "credit": 9} | fields
    return Data(payload=payload, **whole)


def without_zeros(rng, size):
    return bytes(rng.randrange(1, 256) for _ in range(size))


def full_blocks(frame):
    """How many blocks of 254 bytes a frame has: COBS adds a byte for each, one more, a zero."""
    return len(frame) - len(decode_frame(frame[:-1])) - CRC_BYTES - 2


def expected_events(line):
    events = []
    for raw in FrameSplitter(TO_DEVICE_PAYLOAD).feed(line):
        try:
            frame = parse_frame(raw, max_payload=TO_DEVICE_PAYLOAD)
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
                nonce = header.session | header.flags << 8 | header.offset << 16
                events.append(Hello(nonce, header.first >> 4))
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
    info = RowFacts().hello()
    frames = [random_data(rng) for _ in range(12)]
    pieces = [frame.encode() for frame in frames]
    pieces += [Hello(0x12003400).encode(), HelloReply(7, info).encode(), b"\0\0"]
    pieces += [encode_frame(bytes([first]) + bytes(11)) for first in (0x32, 0x12, 0x23)]
    firsts = [bytes([first]) for first in FIRST_BYTE.values()]
    pieces += [encode_frame(first + bytes(n)) for first in firsts for n in (0, 5, 6)]
    pieces += [encode_frame(b"\x22" + bytes(DATA_HEADER + TO_DEVICE_PAYLOAD)), b"\1\0", b"\5\1\0"]
    pieces += [bytes(rng.randrange(1, 256) for _ in range(n)) + b"\0" for n in (1, 40, 300, 1000)]
    rng.shuffle(pieces)
    line = b"".join(pieces) + Hello(5).encode()
    assert received_events(line) == expected_events(line)


@pytest.mark.quick
@pytest.mark.parametrize("version", [0, 1, 2, 15])
def test_a_hello_of_a_host_is_one_in_any_version(version):
    """And no other frame is: not a longer HELLO, not a DATA."""
    first = bytes([version << 4 | 1])
    line = Hello(0x89ABCDEF, version).encode()
    line += encode_frame(first + bytes(HELLO_HEADER)) + encode_frame(first + bytes(100))
    wanted = [Hello(0x89ABCDEF, version), "foreign", "foreign"]
    if version != 2:
        line += encode_frame(bytes([version << 4 | 2]) + bytes(20))
        wanted.append("foreign")
    assert received_events(line) == wanted


def test_receives_full_blocks():
    """Blocks of 254 bytes without a zero, with and without the CRC behind them in a new one."""
    rng = random.Random(6)
    frames = [data(without_zeros(rng, size)) for size in EDGES]
    zeros = [data(bytes(at) + without_zeros(rng, 254) + bytes(3), flags=0) for at in (0, 1, 2)]
    pieces = [frame.encode() for frame in frames + zeros]
    assert {full_blocks(piece) for piece in pieces} == {0, 1, 2}
    assert received_events(b"".join(pieces)) == frames + zeros


def test_a_full_block_may_have_an_empty_one_behind_it():
    """As some encoders write it: there is no byte and no zero in it."""
    rng = random.Random(0)
    fields = 254 - DATA_HEADER - CRC_BYTES
    while True:
        frame = data(without_zeros(rng, fields), flags=1, credit=255)
        raw = frame.encode()[:-1]
        if len(raw) == 255 and raw[0] == 255:
            break
    line = raw + b"\1\0" + raw + b"\0" + raw + b"\2\0" + raw + b"\1\1\0"
    assert received_events(line) == [frame, frame, "damaged", "damaged"] == expected_events(line)


@pytest.mark.parametrize("fill", [0, 1])
def test_a_payload_that_is_too_long_is_damaged(fill):
    """By one byte and by many, whatever its CRC; the next frame is read."""
    longest, long, longer = (
        data(bytes([fill]) * size).encode()
        for size in (TO_DEVICE_PAYLOAD, TO_DEVICE_PAYLOAD + 1, MAX_PAYLOAD)
    )
    line = longest + long + longer + Hello(3).encode()
    events = received_events(line)
    assert events == [data(bytes([fill]) * TO_DEVICE_PAYLOAD), "damaged", "damaged", Hello(3)]
    assert events == expected_events(line)


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


@pytest.mark.parametrize("more", [b"\1", b"\0", b"more"])
def test_bytes_behind_an_intact_frame_damage_it(more):
    """Even where there is no place to count them: behind the longest one."""
    line = b""
    for size in (3, TO_DEVICE_PAYLOAD):
        whole = cobs.decode(data(bytes(size)).encode()[:-1])
        line += cobs.encode(whole + more) + b"\0"
    events = received_events(line + Hello(2).encode())
    assert events == ["damaged", "damaged", Hello(2)]


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


def sent_bytes(frames, *, every=1, seed=0):
    """What the bodies of frames become on the wire, a byte each ``every`` cycles."""
    rng = random.Random(seed)
    dut = FrameTransmitter()
    out = bytearray()

    async def feed(ctx):
        for frame in frames:
            await feed_body(ctx, dut, rng, decode_frame(frame[:-1]))
        await ctx.tick().repeat(12)
        await ctx.tick().until(dut.idle)

    async def read(ctx):
        await read_wire(ctx, dut, rng, out, every)

    simulate(dut, feed, background=[read])
    return bytes(out)


@pytest.mark.parametrize("every", [1, 12])
def test_sends_what_the_protocol_module_sends(every):
    rng = random.Random(every)
    frames = [random_data(rng, sizes=SENT).encode() for _ in range(10)]
    frames += [encode_frame(bytes(5)), encode_frame(bytes(200)), encode_frame(b"\1" * 200)]
    assert sent_bytes(frames, every=every, seed=every) == b"".join(frames)


def test_sends_full_blocks():
    """Payloads without a zero: the codes of full blocks fall into header, payload and CRC."""
    rng = random.Random(8)
    frames = [data(without_zeros(rng, size)).encode() for size in EDGES]
    frames += [data(without_zeros(rng, size), flags=3).encode() for size in range(237, 246)]
    assert {full_blocks(frame) for frame in frames} == {0, 1, 2}
    assert sent_bytes(frames) == b"".join(frames)


def test_sends_zeros_around_full_blocks():
    """A zero as the last byte of 254, the one behind them, the one behind that."""
    rng = random.Random(9)
    frames = []
    for size in (252, 253, 254, 255, 508, 509):
        piece = without_zeros(rng, size)
        frames += [data(b"\0" + piece + b"\0" + end).encode() for end in (b"", b"\0", b"x")]
    assert sent_bytes(frames) == b"".join(frames)


@pytest.mark.parametrize("fill", [0, 1, None], ids=["zeros", "ones", "random"])
def test_sends_the_longest_frames(fill):
    """Two of them in a row fill both halves."""
    rng = random.Random(2)
    bodies = [
        rng.randbytes(size) if fill is None else bytes([fill]) * size
        for size in (MAX_PAYLOAD, MAX_PAYLOAD - 1, MAX_PAYLOAD)
    ]
    frames = [data(body).encode() for body in bodies]
    assert max(map(len, frames)) <= frame_bytes(MAX_PAYLOAD)
    assert sent_bytes(frames) == b"".join(frames)


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
