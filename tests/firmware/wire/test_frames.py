# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.wire.frames import (
    Data,
    FrameSplitter,
    Hello,
    HelloReply,
    decode_frame,
    encode_frame,
    parse_frame,
)
from glintfpga.firmware.wire.hello import Family, HelloInfo, MachineKind
from glintfpga.firmware.wire.protocol import (
    DATA_HEADER,
    MAX_PAYLOAD,
    SHORT_PAYLOAD,
    TO_DEVICE_PAYLOAD,
    FrameError,
    frame_bytes,
)

MAX_RAW = frame_bytes(MAX_PAYLOAD) - 1
"""Bytes between two delimiters, at most."""
DATA = Data(session=7, flags=1, offset=65535, ack=1, credit=128, payload=b"\0" * MAX_PAYLOAD)
INFO = HelloInfo(machine=MachineKind.ROW, family=Family.BLINK, clock_hz=27_000_000)


class TestFrames:
    @pytest.mark.parametrize(
        "frame",
        [
            Hello(0),
            Hello(0xFFFFFFFF),
            Hello(7, version=1),
            Hello(7, version=15),
            HelloReply(5, INFO),
            HelloReply(5, replace(INFO, image_crc=1, image_header=b"\xff" * 96)),
            Data(session=0, offset=0, ack=0, credit=0),
            DATA,
            Data(session=255, offset=1, ack=2, credit=3, payload=b"\xff" * MAX_PAYLOAD),
        ],
    )
    def test_round_trip(self, frame):
        raw = frame.encode()
        assert raw[-1] == 0 and 0 not in raw[:-1]
        assert len(raw) <= MAX_RAW + 1
        assert parse_frame(raw[:-1]) == frame

    def test_layout(self):
        frame = Data(session=2, flags=1, offset=0x0403, ack=0x0605, credit=7, payload=b"\x09")
        body = bytes([0x22, 2, 1, 3, 4, 5, 6, 7, 9])
        assert decode_frame(frame.encode()[:-1]) == body
        assert frame.encode() == encode_frame(body)

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            pytest.param(b"", "too short", id="nothing"),
            pytest.param(b"\x05abc", "not COBS", id="code runs past the end"),
            pytest.param(b"\x01" * 205, "CRC", id="zeros only"),
            pytest.param(b"\xff" * (MAX_RAW + 1), "at most", id="oversized"),
            pytest.param(encode_frame(b"\x22abc")[:-1], "too short", id="short"),
            pytest.param(encode_frame(b"\x22\0\0\0\0")[:-1], "DATA of 5", id="half a DATA"),
            pytest.param(encode_frame(b"\x22" + bytes(2008))[:-1], "too long", id="long"),
            pytest.param(DATA.encode()[:-2], "COBS|CRC", id="last byte lost"),
            pytest.param(DATA.encode()[1:-1], "COBS|CRC", id="first byte lost"),
        ],
    )
    def test_damaged(self, raw, message):
        with pytest.raises(FrameError, match=message) as caught:
            parse_frame(raw)
        assert caught.value.damaged

    @pytest.mark.parametrize("first", [0x12, 0x32, 0x02, 0x23, 0x20])
    def test_foreign(self, first):
        with pytest.raises(FrameError) as caught:
            parse_frame(encode_frame(bytes([first]) + bytes(11))[:-1])
        assert not caught.value.damaged

    @pytest.mark.parametrize("version", range(16))
    def test_a_greeting_is_read_in_every_version(self, version):
        frame = Hello(0x04030201, version)
        assert decode_frame(frame.encode()[:-1]) == bytes([version << 4 | 1, 1, 2, 3, 4])
        assert parse_frame(frame.encode()[:-1]) == frame

    @pytest.mark.parametrize("version", [0, 1, 3, 15])
    def test_what_a_device_of_another_version_is_made_of_is_not_read(self, version):
        body = bytes([version << 4 | 1]) + bytes(4) + INFO.encode()
        with pytest.raises(FrameError, match=f"of protocol version {version}, not 2") as caught:
            parse_frame(encode_frame(body)[:-1])
        assert not caught.value.damaged

    def test_a_hello_whose_info_cannot_be_read_is_not_damaged(self):
        with pytest.raises(FrameError, match="hello has 1 bytes") as caught:
            parse_frame(encode_frame(b"\x21abcde")[:-1])
        assert not caught.value.damaged

    @pytest.mark.parametrize("most", [SHORT_PAYLOAD, TO_DEVICE_PAYLOAD, MAX_PAYLOAD])
    def test_longest_payload(self, most):
        def raw(size, fill):
            frame = Data(session=1, offset=0, ack=0, credit=0, payload=fill * size)
            return frame.encode()[:-1]

        for fill in (b"\0", b"\xff"):
            assert len(parse_frame(raw(most, fill), max_payload=most).payload) == most
            with pytest.raises(FrameError, match="at most|too long") as caught:
                parse_frame(raw(most + 1, fill), max_payload=most)
            assert caught.value.damaged

    @pytest.mark.parametrize("size", [0, *range(238, 256), 500, 512, 1999, 2000])
    def test_frame_bytes_is_the_most_that_a_frame_takes(self, size):
        payload = b"\xff" * size
        longest = encode_frame(b"\xff" * DATA_HEADER + payload)
        assert frame_bytes(size) - 1 <= len(longest) <= frame_bytes(size)

    @pytest.mark.quick
    def test_every_flipped_bit_is_noticed(self):
        raw = Data(session=1, offset=2, ack=3, credit=4, payload=b"hello").encode()[:-1]
        for bit in range(8 * len(raw)):
            bad = bytearray(raw)
            bad[bit // 8] ^= 1 << bit % 8
            with pytest.raises(FrameError):
                for part in FrameSplitter().feed(bytes(bad) + b"\0"):
                    parse_frame(part)


class TestSplitter:
    def test_empty_frames_are_nothing(self):
        assert FrameSplitter().feed(b"\0\0a\0\0b\0") == [b"a", b"b"]

    def test_memory_is_bounded(self):
        splitter = FrameSplitter()
        for _ in range(100):
            assert splitter.feed(b"x" * 999) == []
        assert splitter.feed(b"x\0y\0") == [b"x" * (MAX_RAW + 1), b"y"]

    def test_a_device_keeps_no_more_than_its_own_longest_frame(self):
        splitter = FrameSplitter(TO_DEVICE_PAYLOAD)
        assert splitter.feed(b"x" * 5000 + b"\0y\0") == [
            b"x" * frame_bytes(TO_DEVICE_PAYLOAD),
            b"y",
        ]

    @given(st.lists(st.binary(min_size=1, max_size=600), max_size=8), st.data())
    def test_any_cut(self, payloads, data):
        frames = [Data(session=1, offset=0, ack=0, credit=0, payload=p) for p in payloads]
        stream = b"".join(frame.encode() for frame in frames)
        splitter = FrameSplitter()
        got = []
        while stream:
            size = data.draw(st.integers(1, len(stream)))
            got += splitter.feed(stream[:size])
            stream = stream[size:]
        assert [parse_frame(raw) for raw in got] == frames
