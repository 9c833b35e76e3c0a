# SPDX-License-Identifier: MIT
import random
from collections import Counter

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.frames import Data, Hello, HelloReply, encode_frame
from support.damage import damaged
from support.link_monitor import LinkMonitor, frames_of, unstuffed


@given(st.binary(max_size=600) | st.integers(250, 2100).map(lambda size: b"\7" * size))
def test_unstuffing(data):
    assert unstuffed(cobs.encode(data)) == data


@given(st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"\1")))
def test_unstuffing_anything(raw):
    try:
        right = cobs.decode(raw)
    except cobs.DecodeError:
        right = None
    assert unstuffed(raw) == right


def frames(rng):
    """A session, then frames of which some are foreign, too long or out of order."""
    yield Hello(5, rng.choice([1, 2, 9])).encode()
    offset = 0
    for _ in range(rng.randint(0, 12)):
        payload = rng.randbytes(rng.choice([rng.randint(0, 9)] * 9 + [512, 513, 2000]))
        session, at = rng.choice([5, 5, 5, 6]), offset + rng.choice([0, 0, 0, 1])
        yield Data(session=session, offset=at, ack=0, credit=64, payload=payload).encode()
        offset += len(payload) * (session == 5 and at == offset and len(payload) <= 512)
        if rng.random() < 0.1:
            yield HelloReply(5, RowFacts().hello()).encode()
            first = rng.choice([0x11, 0x12, 0x20, 0x23, 0x31])
            yield encode_frame(bytes([first]) + rng.randbytes(rng.randint(5, 30)))


@given(st.randoms(use_true_random=False), st.booleans())
def test_a_device_counts_the_same(rng, harm):
    sent = list(frames(rng))
    data = damaged(rng, b"".join(sent)) if harm else b"".join(sent)
    device = Endpoint(Role.DEVICE, info=lambda: RowFacts().hello())
    monitor = LinkMonitor(
        is_host=False, sent=Counter(raw for each in sent for raw in frames_of(each))
    )
    while data:
        part, data = data[: (size := rng.randint(1, 99))], data[size:]
        device.feed(part, 0.0)
        monitor.on_rx(part)
        device.read()
    assert (device.dropped, device.crc_errors) == (monitor.dropped, monitor.damaged)
    too_long = sum(len(cobs.decode(each[:-1])) > 8 + 512 + 4 for each in sent)
    assert harm or monitor.damaged == too_long
    assert monitor.forged == 0


def answers(rng):
    """What a device sends: hellos, some of them wrong, and frames up to the longest."""
    info = RowFacts().hello().encode()
    good = encode_frame(b"\x21" + (5).to_bytes(4, "little") + info)
    wrong = [b"", info[:15], info[:-1], info + b"\1\0", info[:20], info + b"\x09"]
    odd = [b"\x11" + bytes(4), *(b"\x21\5\0\0\0" + each for each in wrong)]
    yield from (encode_frame(each) for each in rng.sample(odd, 3))
    yield HelloReply(6, RowFacts().hello()).encode()
    if rng.random() < 0.9:
        yield good
    offset = 0
    for size in rng.sample([0, 1, 192, 193, 512, 1999, 2000, 2001, 2100], 5):
        payload = rng.randbytes(size)
        yield Data(session=5, offset=offset, ack=0, credit=64, payload=payload).encode()
        offset += size * (size <= 2000)
        yield rng.choice([good, encode_frame(b"\x21\5\0\0\0" + info + b"\x63\1x")])


@given(st.randoms(use_true_random=False), st.booleans())
def test_a_host_counts_the_same(rng, harm):
    sent = list(answers(rng))
    data = damaged(rng, b"".join(sent)) if harm else b"".join(sent)
    host = Endpoint(Role.HOST)
    host.start_session(5, 0.0)
    monitor = LinkMonitor(
        is_host=True, sent=Counter(raw for each in sent for raw in frames_of(each))
    )
    monitor.on_tx(host.poll(0.0))
    while data:
        part, data = data[: (size := rng.randint(1, 999))], data[size:]
        host.feed(part, 0.0)
        monitor.on_rx(part)
        host.read()
    assert monitor.forged == 0
    assert (host.dropped, host.crc_errors) == (monitor.dropped, monitor.damaged)


@pytest.mark.quick
def test_forged_frames_are_noticed():
    monitor = LinkMonitor(is_host=False, sent=Counter())
    monitor.on_rx(Hello(random.Random(1).getrandbits(32)).encode())
    assert (monitor.valid, monitor.forged) == (1, 1)
