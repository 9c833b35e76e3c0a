# SPDX-License-Identifier: MIT

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.wire.protocol import (
    BAUDS,
    HELLO_INFO,
    MAX_PAYLOAD,
    MAX_RAW,
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

DATA = Data(session=7, flags=1, offset=65535, ack=1, credit=128, payload=b"\0" * MAX_PAYLOAD)


class TestFrames:
    @pytest.mark.parametrize(
        "frame",
        [
            Hello(0),
            Hello(0xFFFFFFFF),
            HelloReply(5, HelloInfo(lanes=8, plan=9, clock_hz=27_000_000, image_crc=1)),
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
        body = bytes([0x12, 2, 1, 3, 4, 5, 6, 7, 9])
        assert decode_frame(frame.encode()[:-1]) == body
        assert frame.encode() == encode_frame(body)

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            pytest.param(b"", "too short", id="nothing"),
            pytest.param(b"\x05abc", "not COBS", id="code runs past the end"),
            pytest.param(b"\x01" * 205, "CRC", id="zeros only"),
            pytest.param(b"\xff" * (MAX_RAW + 1), "at most", id="oversized"),
            pytest.param(encode_frame(b"\x12abc")[:-1], "too short", id="short"),
            pytest.param(encode_frame(b"\x12\0\0\0\0")[:-1], "DATA of 5", id="half a DATA"),
            pytest.param(encode_frame(b"\x11abcde")[:-1], "hello info", id="half a hello"),
            pytest.param(DATA.encode()[:-2], "COBS|CRC", id="last byte lost"),
            pytest.param(DATA.encode()[1:-1], "COBS|CRC", id="first byte lost"),
        ],
    )
    def test_damaged(self, raw, message):
        with pytest.raises(FrameError, match=message) as caught:
            parse_frame(raw)
        assert caught.value.damaged

    @pytest.mark.parametrize("first", [0x22, 0x02, 0x13, 0x10])
    def test_foreign(self, first):
        with pytest.raises(FrameError) as caught:
            parse_frame(encode_frame(bytes([first]) + bytes(11))[:-1])
        assert not caught.value.damaged

    @pytest.mark.quick
    def test_every_flipped_bit_is_noticed(self):
        raw = Data(session=1, offset=2, ack=3, credit=4, payload=b"hello").encode()[:-1]
        for bit in range(8 * len(raw)):
            bad = bytearray(raw)
            bad[bit // 8] ^= 1 << bit % 8
            with pytest.raises(FrameError):
                for part in FrameSplitter().feed(bytes(bad) + b"\0"):
                    parse_frame(part)


class TestHelloInfo:
    def test_offsets(self):
        header = bytes(range(96))
        info = HelloInfo(
            flags=3,
            lanes=4,
            plan=12,
            clock_hz=0x07060504,
            max_rows=4096,
            max_window=256,
            max_vocab=512,
            max_hidden=16,
            max_passes=17,
            build_id=b"12345678",
            baud_index=4,
            image_crc=0x0A0B0C0D,
            image_header=header,
        )
        data = info.encode()
        assert len(data) == HELLO_INFO == 128
        assert data[:16].hex() == "0103040c04050607001000010002" + "1011"
        assert data[16:32].hex() == b"12345678".hex() + "04000000" + "0d0c0b0a"
        assert data[32:] == header
        assert HelloInfo.decode(data) == info

    def test_wrong_size(self):
        with pytest.raises(FrameError, match="127 bytes, expected 128"):
            HelloInfo.decode(bytes(127))


class TestSplitter:
    def test_empty_frames_are_nothing(self):
        assert FrameSplitter().feed(b"\0\0a\0\0b\0") == [b"a", b"b"]

    def test_memory_is_bounded(self):
        splitter = FrameSplitter()
        for _ in range(100):
            assert splitter.feed(b"x" * 999) == []
        assert splitter.feed(b"x\0y\0") == [b"x" * (MAX_RAW + 1), b"y"]

    @given(st.lists(st.binary(min_size=1, max_size=192), max_size=8), st.data())
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


def test_first_baud_is_the_default():
    assert BAUDS[0] == 115200
