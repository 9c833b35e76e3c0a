# SPDX-License-Identifier: MIT
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.endpoint import HELLO_S, POLL_S, Endpoint, Role, retry_seconds
from glintfpga.firmware.wire.frames import (
    Data,
    FrameSplitter,
    Hello,
    HelloReply,
    encode_frame,
    parse_frame,
)
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    CREDIT_UNIT,
    DEVICE_RETRIES,
    MAX_CREDIT,
    MAX_PAYLOAD,
    RETRY_S,
    SHORT_PAYLOAD,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
    TO_HOST_RING,
    DataFlag,
    payload_limit,
)
from glintfpga.quant.errors import DeviceError

INFO = RowFacts().hello()


class Line:
    """Carries bytes one way and damages about one in ``1 / rate`` of them."""

    def __init__(self, rng, rate):
        self.rng = rng
        self.rate = rate

    def carry(self, data):
        rng, out, at = self.rng, bytearray(), 0
        while at < len(data):
            byte = data[at]
            at += 1
            if rng.random() >= self.rate:
                out.append(byte)
                continue
            match rng.randrange(6):
                case 0:
                    out.append(byte ^ 1 << rng.randrange(8))
                case 1:
                    pass
                case 2:
                    out += bytes([byte, byte])
                case 3:
                    out += bytes([data[at] if at < len(data) else 0, byte])
                    at += 1
                case 4:
                    out += rng.randbytes(rng.randrange(1, 20))
                    at += rng.randrange(20)
                case 5:
                    out += bytes([byte, 0])
        return bytes(out)


class Pair:
    def __init__(self, seed=0, rate=0.0, baud=BAUDS[0]):
        rng = random.Random(seed)
        self.rng = rng
        self.host = Endpoint(Role.HOST)
        self.device = Endpoint(Role.DEVICE, info=lambda: INFO)
        self.host.payload_limit = self.device.payload_limit = payload_limit(baud)
        self.lines = Line(rng, rate), Line(rng, rate)
        self.now = 0.0

    def pump(self, frames=64):
        self.now += 0.001
        up = self.host.poll(self.now, frames=frames)
        self.device.feed(self.lines[0].carry(up), self.now)
        down = self.device.poll(self.now, frames=frames)
        self.host.feed(self.lines[1].carry(down), self.now)
        return up, down

    def start(self, nonce=1):
        self.host.start_session(nonce, self.now)
        while not self.host.open:
            self.pump()
            assert self.now < 1000
        return self


def transfer(seed, rate, sizes, *, slow_reader, baud=BAUDS[0]):
    pair = Pair(seed, rate, baud).start()
    ends = pair.host, pair.device
    todo = [pair.rng.randbytes(size) for size in sizes]
    expected = todo[::-1]
    got = [b"", b""]
    while [len(part) for part in got] != [len(part) for part in expected]:
        for i, end in enumerate(ends):
            taken = end.write(todo[i][: pair.rng.randrange(1000)])
            todo[i] = todo[i][taken:]
            if not slow_reader or pair.rng.random() < 0.05:
                got[i] += end.read(pair.rng.randrange(1, 3000))
            assert expected[i].startswith(got[i])
        pair.pump(frames=pair.rng.randrange(1, 20))
        assert pair.now < 2000, "hangs"
    assert got == expected
    return pair


class TestFaultyLine:
    @given(
        st.integers(0, 2**32),
        st.sampled_from(
            [
                *((BAUDS[0], rate) for rate in (0, 0.0001, 0.001, 0.01)),
                *((BAUDS[-1], rate) for rate in (0, 0.0001, 0.001, 0.01)),
            ]
        ),
        st.tuples(st.integers(0, 5000), st.integers(0, 5000)),
        st.booleans(),
    )
    def test_every_byte_arrives_in_order(self, seed, line, sizes, slow_reader):
        baud, rate = line
        transfer(seed, rate, sizes, slow_reader=slow_reader, baud=baud)

    @pytest.mark.parametrize("baud", [BAUDS[0], BAUDS[-1]])
    @pytest.mark.parametrize("seed", range(3))
    def test_one_byte_in_a_hundred(self, seed, baud):
        """Of frames with 2,000 bytes hardly one comes through."""
        pair = transfer(seed, 0.01, (12_000, 12_000), slow_reader=False, baud=baud)
        assert pair.host.crc_errors > 100 and pair.device.crc_errors > 100

    @pytest.mark.quick
    @pytest.mark.parametrize("baud", [BAUDS[0], BAUDS[-1]])
    def test_offsets_wrap(self, baud):
        pair = transfer(1, 0.0005, (150_000, 150_000), slow_reader=False, baud=baud)
        assert pair.device.retries and pair.device.crc_errors

    @pytest.mark.parametrize("baud", [BAUDS[0], BAUDS[-1]])
    def test_clean_line_repeats_nothing(self, baud):
        pair = transfer(2, 0, (50_000, 50_000), slow_reader=False, baud=baud)
        for end in (pair.host, pair.device):
            assert (end.retries, end.dropped, end.crc_errors) == (0, 0, 0)

    def test_garbage_instead_of_frames(self):
        pair = Pair(3)
        pair.device.feed(pair.rng.randbytes(100_000), 0.0)
        assert pair.device.poll(0.0) == b""
        pair.start()
        pair.device.feed(pair.rng.randbytes(100_000), pair.now)
        pair.host.feed(pair.rng.randbytes(100_000), pair.now)
        pair.host.write(b"still here")
        while not pair.device.readable:
            pair.pump()
        assert pair.device.read() == b"still here"


def frames_of(data):
    return [parse_frame(raw) for raw in FrameSplitter().feed(data)]


class Probe:
    """A device endpoint spoken to frame by frame."""

    def __init__(self):
        self.end = Endpoint(Role.DEVICE, info=lambda: INFO)
        self.now = 0.0
        self.end.feed(Hello(0x0107).encode(), 0.0)
        (reply,) = frames_of(self.end.poll(0.0))
        assert reply.nonce == 0x0107 and reply.info == INFO

    def say(self, **fields):
        fields = {"session": 7, "offset": 0, "ack": 0, "credit": MAX_CREDIT, **fields}
        self.end.feed(Data(**fields).encode(), self.now)
        return self.received()

    def received(self, later=0.0):
        self.now += later
        return frames_of(self.end.poll(self.now))


@pytest.fixture
def probe():
    return Probe()


class TestReceiving:
    def test_payload_is_answered(self, probe):
        (answer,) = probe.say(payload=b"abc")
        assert answer == Data(
            session=7, offset=0, ack=3, credit=(TO_DEVICE_RING - 3) // CREDIT_UNIT
        )
        assert probe.end.read() == b"abc"

    def test_repeated_payload_is_dropped_and_answered(self, probe):
        probe.say(payload=b"abc")
        (answer,) = probe.say(payload=b"abc")
        assert answer.ack == 3
        assert probe.end.read() == b"abc"
        assert (probe.end.dropped, probe.end.crc_errors) == (1, 0)

    def test_gap_is_dropped_and_answered(self, probe):
        (answer,) = probe.say(offset=1, payload=b"bc")
        assert answer.ack == 0 and not probe.end.readable

    def test_wrong_session_is_silence(self, probe):
        assert probe.say(session=8, payload=b"abc") == []
        assert (probe.end.dropped, probe.end.readable) == (1, 0)

    def test_empty_data_is_not_answered(self, probe):
        assert probe.say() == []

    def test_poll_is_answered(self, probe):
        (answer,) = probe.say(flags=DataFlag.POLL)
        assert answer.payload == b""

    def test_damage_is_answered(self, probe):
        probe.end.feed(b"\x05junk\0", 0.0)
        assert len(probe.received()) == 1
        assert (probe.end.dropped, probe.end.crc_errors) == (1, 1)

    def test_damage_without_a_session_is_not(self):
        end = Endpoint(Role.DEVICE, info=lambda: INFO)
        end.feed(b"\x05junk\0" + Data(session=0, offset=0, ack=0, credit=0).encode(), 0.0)
        assert end.poll(0.0) == b""
        assert (end.dropped, end.crc_errors) == (2, 1)

    def test_foreign_kind_is_silence(self, probe):
        probe.end.feed(Data(session=7, offset=0, ack=0, credit=0).encode(), 0.0)
        assert probe.received() == []

    def test_what_does_not_fit_is_dropped(self, probe):
        for offset in range(0, 1920, 192):
            probe.say(offset=offset, payload=bytes(192))
        (answer,) = probe.say(offset=1920, payload=bytes(129))
        assert (answer.ack, answer.credit) == (1920, 4)
        (answer,) = probe.say(offset=1920, payload=bytes(128))
        assert (answer.ack, answer.credit) == (2048, 0)

    def test_credit_update(self, probe):
        for offset in range(0, 1920, 192):
            probe.say(offset=offset, payload=bytes(192))
        probe.end.read(895)
        assert probe.received() == []
        probe.end.read(1)
        assert [frame.credit for frame in probe.received()] == [32]
        assert probe.received() == []

    def test_a_device_takes_its_longest_payload_at_any_rate(self, probe):
        assert probe.end.payload_limit == SHORT_PAYLOAD
        (answer,) = probe.say(payload=b"x" * TO_DEVICE_PAYLOAD)
        assert answer.ack == TO_DEVICE_PAYLOAD

    @pytest.mark.parametrize("size", [TO_DEVICE_PAYLOAD + 1, MAX_PAYLOAD])
    def test_a_longer_one_is_damage_to_a_device(self, probe, size):
        (answer,) = probe.say(payload=b"x" * size)
        assert answer.ack == 0
        assert (probe.end.dropped, probe.end.crc_errors) == (1, 1)

    def test_a_host_takes_the_longest_payload_at_any_rate(self):
        pair = Pair().start()
        frame = Data(session=1, offset=0, ack=0, credit=0, payload=b"x" * MAX_PAYLOAD)
        pair.host.feed(frame.encode(), pair.now)
        assert pair.host.read() == b"x" * MAX_PAYLOAD

    def test_a_large_ring_has_the_largest_credit_for_long(self):
        pair = Pair().start()
        frame = Data(session=1, offset=0, ack=0, credit=0, payload=b"x" * CREDIT_UNIT)
        pair.host.feed(frame.encode(), pair.now)
        (answer,) = frames_of(pair.host.poll(pair.now))
        assert (answer.ack, answer.credit) == (CREDIT_UNIT, MAX_CREDIT)


class TestSending:
    def test_window(self, probe):
        probe.end.write(bytes(9000))
        assert sum(len(frame.payload) for frame in probe.received()) == TO_HOST_RING

    def test_window_of_a_host_is_the_ring_in_the_hello(self):
        pair = Pair().start()
        pair.host.write(bytes(9000))
        sent = frames_of(pair.host.poll(pair.now))
        assert sum(len(frame.payload) for frame in sent) == TO_DEVICE_RING

    @pytest.mark.parametrize(
        ("baud", "sizes"), [(BAUDS[0], [192] * 5 + [40]), (BAUDS[1], [1000]), (BAUDS[-1], [1000])]
    )
    def test_a_device_fills_frames_as_its_rate_allows(self, probe, baud, sizes):
        probe.end.payload_limit = payload_limit(baud)
        probe.end.write(bytes(1000))
        assert [len(frame.payload) for frame in probe.received()] == sizes
        probe.end.write(bytes(5000))
        longest = max(len(frame.payload) for frame in probe.received())
        assert longest == payload_limit(baud)

    @pytest.mark.parametrize(
        ("baud", "most", "longest"),
        [(BAUDS[0], 512, 192), (BAUDS[1], 512, 512), (BAUDS[1], 100, 100), (BAUDS[0], 9, 9)],
    )
    def test_a_host_fills_frames_as_the_hello_allows(self, baud, most, longest):
        host = Endpoint(Role.HOST)
        host.payload_limit = payload_limit(baud)
        host.start_session(1, 0.0)
        host.feed(HelloReply(1, replace(INFO, max_payload=most, ring=4096)).encode(), 0.0)
        host.write(bytes(3000))
        sizes = [len(frame.payload) for frame in frames_of(host.poll(0.0, frames=999))]
        assert sum(sizes) == 3000 and set(sizes[:-1]) == {longest}

    def test_credit_limits(self, probe):
        probe.say(credit=2)
        probe.end.write(bytes(100))
        assert [len(frame.payload) for frame in probe.received()] == [64]
        assert [len(frame.payload) for frame in probe.say(ack=64, credit=1)] == [32]

    @pytest.mark.parametrize("timer", [False, True])
    def test_what_is_sent_again_is_short_until_the_ack_advances(self, probe, timer):
        probe.end.payload_limit = MAX_PAYLOAD
        probe.end.write(bytes(1000))
        assert [len(frame.payload) for frame in probe.received()] == [1000]
        again = probe.received(later=RETRY_S) if timer else probe.say()
        assert [len(frame.payload) for frame in again] == [192] * 5 + [40]
        probe.say(ack=192)
        probe.end.write(bytes(500))
        assert [len(frame.payload) for frame in probe.received()] == [500]

    def test_repeated_ack_rewinds_once(self, probe):
        probe.end.write(b"x" * 10)
        assert [frame.offset for frame in probe.received()] == [0]
        assert [frame.payload for frame in probe.say()] == [b"x" * 10]
        assert probe.say() == []
        assert probe.end.retries == 1

    def test_repeated_ack_with_payload_does_not(self, probe):
        probe.end.write(b"x" * 10)
        probe.received()
        assert [frame.payload for frame in probe.say(payload=b"y")] == [b""]

    def test_timer(self, probe):
        probe.end.write(b"x")
        probe.received()
        assert probe.received(later=RETRY_S - 0.001) == []
        assert [frame.payload for frame in probe.received(later=0.002)] == [b"x"]

    def test_device_gives_up_until_it_hears_something(self, probe):
        probe.end.write(b"x")
        probe.received()
        sent = [len(probe.received(later=0.06)) for _ in range(30)]
        assert sum(sent) == DEVICE_RETRIES
        probe.say(session=8)
        assert probe.received(later=0.06) == []
        probe.say(payload=b"y")
        assert len(probe.received(later=0.06)) == 1

    @pytest.mark.parametrize("ack", [11, 65535, 1000])
    def test_impossible_ack_is_ignored(self, probe, ack):
        probe.end.write(b"x" * 10)
        probe.received()
        assert probe.say(ack=ack) == []
        assert probe.end.unacked == 10

    def test_ack_beyond_the_rewind(self, probe):
        probe.end.write(b"x" * 400)
        probe.received()
        probe.now += 0.06
        probe.end.poll(probe.now, frames=1)
        assert [frame.offset for frame in probe.say(ack=384)] == [384]


class TestSessions:
    def test_hello_is_repeated(self):
        host = Endpoint(Role.HOST)
        host.start_session(9, 0.0)
        assert frames_of(host.poll(0.0)) == [Hello(9)]
        assert host.poll(HELLO_S / 2) == b""
        assert frames_of(host.poll(HELLO_S)) == [Hello(9)]
        assert host.write(b"too early") == 0

    def test_every_third_hello_is_of_the_oldest_version(self):
        host = Endpoint(Role.HOST)
        host.start_session(9, 0.0)
        said = [frames_of(host.poll(at * HELLO_S)) for at in range(7)]
        assert said == [[Hello(9, version)] for version in (2, 2, 1, 2, 2, 1, 2)]

    def test_a_device_answers_a_greeting_of_any_version_in_its_own(self):
        for version in range(16):
            end = Endpoint(Role.DEVICE, info=lambda: INFO)
            end.feed(Hello(0x0305, version).encode(), 0.0)
            assert frames_of(end.poll(0.0)) == [HelloReply(0x0305, INFO)]
            assert end.open and (end.dropped, end.crc_errors) == (0, 0)

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_a_device_of_another_version_opens_no_session(self, version):
        host = Endpoint(Role.HOST)
        host.start_session(9, 0.0)
        body = bytes([version << 4 | 1]) + (9).to_bytes(4, "little") + INFO.encode()
        host.feed(encode_frame(body), 0.0)
        assert not host.open
        assert (host.dropped, host.crc_errors) == (1, 0)

    def test_data_of_another_version_is_silence(self, probe):
        body = b"\x12\x07\1" + bytes(5) + b"old"
        probe.end.feed(encode_frame(body), 0.0)
        assert probe.received() == [] and not probe.end.readable
        assert (probe.end.dropped, probe.end.crc_errors) == (1, 0)

    def test_a_hello_that_cannot_be_read_opens_no_session(self):
        host = Endpoint(Role.HOST)
        host.start_session(9, 0.0)
        body = b"\x21" + (9).to_bytes(4, "little")
        host.feed(encode_frame(body + INFO.encode()[:-1]), 0.0)
        assert not host.open
        assert (host.dropped, host.crc_errors) == (1, 0)
        host.feed(encode_frame(body + INFO.encode() + b"\xfe\2ab"), 0.0)
        assert host.open and host.info == INFO

    def test_hello_empties_everything(self):
        pair = Pair().start()
        pair.host.write(b"old")
        pair.device.write(b"old too")
        pair.pump()
        pair.start(nonce=0x0202)
        assert pair.device.read() == pair.host.read() == b""
        assert pair.device.sessions == 2
        assert pair.host.info == INFO

    def test_second_reply_is_harmless(self):
        pair = Pair().start()
        pair.host.write(b"abc")
        pair.pump()
        pair.device.feed(b"", pair.now)
        again = Endpoint(Role.DEVICE, info=lambda: INFO)
        again.feed(Hello(1).encode(), 0.0)
        pair.host.feed(again.poll(0.0), pair.now)
        assert pair.host.open and pair.device.read() == b"abc"

    def test_same_session_twice_is_refused(self):
        pair = Pair().start(nonce=0x105)
        with pytest.raises(DeviceError, match="reuses the session 5"):
            pair.host.start_session(0x205, pair.now)

    def test_poll_and_keep_alive(self):
        pair = Pair().start()
        assert frames_of(pair.host.poll(pair.now + POLL_S))[0].flags == DataFlag.POLL
        pair.host.expecting = False
        assert pair.host.poll(pair.now + 10) == b""
        pair.host.keep_alive = 0.3
        (frame,) = frames_of(pair.host.poll(pair.now + 10))
        assert (frame.flags, frame.payload) == (0, b"")
        assert pair.host.silence(pair.now + 10) == pytest.approx(10)

    def test_lost_credit_update_is_asked_for(self):
        pair = Pair().start()
        pair.host.expecting = False
        for _ in range(8):
            pair.host.write(bytes(1000))
            pair.pump()
        assert pair.host.unacked > 0 and pair.device.readable > TO_DEVICE_RING - CREDIT_UNIT
        pair.device.read()
        pair.device.poll(pair.now)
        while pair.host.unacked:
            pair.pump()
            pair.device.read()
            assert pair.now < 5


def test_retry_seconds():
    assert retry_seconds(115200) == pytest.approx(0.1036, abs=1e-3)
    assert retry_seconds(1_000_000) == pytest.approx(0.1106, abs=1e-3)
    assert RETRY_S < retry_seconds(3_000_000) < 0.071
