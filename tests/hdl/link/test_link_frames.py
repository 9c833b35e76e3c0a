# SPDX-License-Identifier: MIT
import random

import pytest

from glintfpga.firmware.wire.frames import Hello, HelloReply, encode_frame
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    CREDIT_UNIT,
    HELLO_HEADER,
    MAX_CREDIT,
    SHORT_PAYLOAD,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
    TO_HOST_RING,
    DataFlag,
)
from glintfpga.hdl.hello_layout import MAX_INFO
from support.link_bench import INFO, Line, data, echo_of, empty, frames_of, switch_to


def test_answers_frame_by_frame():
    """What is answered, and with what, without a host that hides it."""
    line = Line()
    ring, full = TO_DEVICE_RING, TO_DEVICE_RING // CREDIT_UNIT

    async def script(ctx):
        ctx.set(line.dut.enable, 0)

        async def answer(*frames):
            line.send(b"".join(frames))
            return await frames_of(line, ctx, 260 + sum(map(len, frames)))

        # Nothing is said before a session.
        assert await answer(data(flags=DataFlag.POLL), b"\1\2\3\0", data(payload=b"x")) == []
        assert await answer(Hello(0x107).encode()) == [HelloReply(0x107, INFO)]
        assert await answer(data()) == []
        assert await answer(data(flags=DataFlag.POLL)) == [empty(0)]
        assert await answer(data(session=8, flags=DataFlag.POLL)) == []
        assert await answer(b"\1\2\3\0") == [empty(0)]
        assert await answer(data(payload=b"abc")) == [empty(3, full - 1)]
        assert await answer(data(payload=b"abc")) == [empty(3, full - 1)]
        assert await answer(data(offset=4, payload=b"abc")) == [empty(3, full - 1)]
        # Acks of bytes that never were, with and without a POLL.
        assert await answer(data(offset=3, ack=1)) == []
        assert await answer(data(offset=3, ack=65535, flags=DataFlag.POLL)) == [empty(3, full - 1)]
        # Up to full, one byte too many, and full.
        at = 3
        while at < ring - 192:
            assert await answer(data(offset=at, payload=bytes(192))) != []
            at += 192
        assert await answer(data(offset=at, payload=bytes(ring - at + 1))) == [
            empty(at, (ring - at) // CREDIT_UNIT)
        ]
        assert await answer(data(offset=at, payload=bytes(ring - at))) == [empty(ring, 0)]
        assert await answer(data(offset=ring, payload=b"x")) == [empty(ring, 0)]
        # The application wakes: an echo in order.
        ctx.set(line.dut.enable, 1)
        frames = await frames_of(line, ctx, 3500)
        sent = b""
        for frame in frames:
            assert frame.offset == len(sent)
            sent += frame.payload
        assert sent == echo_of(b"abc" + bytes(ring - 3))
        assert max(len(frame.payload) for frame in frames) == SHORT_PAYLOAD
        assert frames[-1].credit == full
        # A repeated ack rewinds, once, and sending stays within the credit.
        again = await answer(data(offset=ring, credit=10), bytes(300))
        assert [(f.offset, len(f.payload)) for f in again] == [(0, 192), (192, 128)]
        assert await answer(data(offset=ring, credit=10)) == []
        (more,) = await answer(data(offset=ring, ack=320, credit=1))
        assert (more.offset, more.payload) == (320, echo_of(bytes(32)))
        # Dropped: two before and one wrong session, two damaged, three not next, one too big, one
        # into a full ring.
        assert line.counts(ctx) == [9, 2, 1]

    line.run(script)


@pytest.mark.parametrize("version", [1, 15])
def test_a_hello_of_another_version_is_answered(version):
    """With a HELLO of version 2 and its nonce; the session is a whole one."""
    line = Line()

    async def script(ctx):
        line.send(data(flags=DataFlag.POLL) + Hello(0xC0FFEE07, version).encode())
        frames = await frames_of(line, ctx, 400)
        assert frames == [HelloReply(0xC0FFEE07, INFO)]
        line.send(data(payload=b"ab"))
        frames = await frames_of(line, ctx, 100)
        assert b"".join(frame.payload for frame in frames) == b"bc"
        # DATA of that version is none.
        body = bytes([version << 4 | 2, 7, DataFlag.POLL, 2, 0, 0, 0, 255])
        line.send(encode_frame(body))
        assert await frames_of(line, ctx, 100) == []
        assert line.counts(ctx) == [2, 0, 0]

    line.run(script)


@pytest.mark.parametrize("size", [1, 249, 250, MAX_INFO])
def test_info_of_any_length(size):
    info = random.Random(size).randbytes(size).replace(b"\0", b"z")
    line = Line(info=info)

    async def script(ctx):
        line.send(Hello(0x7F7F7F07).encode())
        for _ in range(450):
            await line.byte_time(ctx)
        reply = bytes([0x21]) + (0x7F7F7F07).to_bytes(HELLO_HEADER - 1, "little") + info
        assert bytes(line.from_device) == encode_frame(reply)

    line.run(script)


def test_the_longest_payload_at_every_rate():
    """512 bytes are taken, and one more makes a damaged frame that the host learns of."""
    line = Line()
    ring = TO_DEVICE_RING // CREDIT_UNIT

    async def script(ctx):
        ctx.set(line.dut.enable, 0)
        line.send(Hello(7).encode())
        await frames_of(line, ctx, 300)
        at, damaged = 0, 0
        for index in (0, len(BAUDS) - 1):
            await switch_to(line, ctx, index)
            for fill in (b"\0", b"\1"):
                line.send(data(offset=at, payload=fill * (TO_DEVICE_PAYLOAD + 1)))
                frames = await frames_of(line, ctx, 700)
                assert frames == [empty(at, ring - at // CREDIT_UNIT)]
                damaged += 1
                assert line.counts(ctx) == [damaged, damaged, 0]
                line.send(data(offset=at, payload=fill * TO_DEVICE_PAYLOAD))
                at += TO_DEVICE_PAYLOAD
                frames = await frames_of(line, ctx, 700)
                assert frames == [empty(at, ring - at // CREDIT_UNIT)]

    line.run(script)


def test_credit_is_announced_when_1024_bytes_are_free():
    """Once, and not before, when the last one told of less."""
    line = Line()
    ring = TO_DEVICE_RING

    async def script(ctx):
        link = line.dut.link
        ctx.set(line.dut.enable, 0)
        line.send(Hello(7).encode())
        await frames_of(line, ctx, 300)
        for at in range(0, ring, TO_DEVICE_PAYLOAD):
            # Without credit the echo does not come in between.
            line.send(data(offset=at, payload=bytes(TO_DEVICE_PAYLOAD), credit=0))
            frames = await frames_of(line, ctx, 700)
        assert frames == [empty(ring, 0)]

        async def free(count):
            for _ in range(count):
                ctx.set(line.dut.enable, 1)
                await ctx.tick().until(link.o.valid)
                ctx.set(line.dut.enable, 0)
                await ctx.tick()

        await free(1023)
        assert await frames_of(line, ctx, 60) == []
        await free(1)
        assert await frames_of(line, ctx, 60) == [empty(ring, 32)]
        await free(500)
        assert await frames_of(line, ctx, 60) == []

    line.run(script)


def test_a_ring_nearly_full():
    """8,192 bytes wait for credit; with 255 units all but 32 of them leave, in long frames."""
    line = Line(byte=4)
    ring, more = TO_HOST_RING, 600
    text = random.Random(5).randbytes(ring + more)

    async def script(ctx):
        line.send(Hello(7).encode())
        await frames_of(line, ctx, 300)
        await switch_to(line, ctx, 1)
        at = 0
        while at < len(text):
            part = text[at : at + TO_DEVICE_PAYLOAD]
            line.send(data(offset=at, payload=part, credit=0))
            at += len(part)
            *_, last = await frames_of(line, ctx, 560)
            assert (last.ack, last.payload, last.offset) == (at, b"", 0)
        # The ring is full, and the application leaves the rest where it is.
        assert last.credit == (TO_DEVICE_RING - more) // CREDIT_UNIT
        out = bytearray()

        def take(frames):
            for frame in frames:
                assert frame.offset == len(out)
                out.extend(frame.payload)
            return [len(frame.payload) for frame in frames if frame.payload]

        line.send(data(offset=at))
        assert take(await frames_of(line, ctx, 10_000)) == [2000, 2000, 2000, 2000, 160]
        assert out == echo_of(text[: MAX_CREDIT * CREDIT_UNIT])
        # All but a byte are acked: what had no room follows.
        line.send(data(offset=at, ack=len(out) - 1))
        take(await frames_of(line, ctx, 1200))
        assert out == echo_of(text)
        assert line.counts(ctx) == [0, 0, 0]

    line.run(script)
