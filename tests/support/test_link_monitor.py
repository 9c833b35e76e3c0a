# SPDX-License-Identifier: MIT
import random
from collections import Counter

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.protocol import Data, Hello, HelloInfo, HelloReply
from support.damage import damaged
from support.link_monitor import LinkMonitor, frames_of, unstuffed


@given(st.binary(max_size=600))
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
    """A session, then frames of which some are foreign or out of order."""
    yield Hello(5).encode()
    offset = 0
    for _ in range(rng.randint(0, 12)):
        payload = rng.randbytes(rng.randint(0, 9))
        session, at = rng.choice([5, 5, 5, 6]), offset + rng.choice([0, 0, 0, 1])
        yield Data(session=session, offset=at, ack=0, credit=128, payload=payload).encode()
        offset += len(payload) * (session == 5 and at == offset)
        if rng.random() < 0.1:
            yield HelloReply(5, HelloInfo(lanes=4, plan=12)).encode()


@given(st.randoms(use_true_random=False), st.booleans())
def test_a_device_counts_the_same(rng, harm):
    sent = list(frames(rng))
    data = damaged(rng, b"".join(sent)) if harm else b"".join(sent)
    device = Endpoint(Role.DEVICE, info=lambda: HelloInfo(lanes=4, plan=12))
    monitor = LinkMonitor(
        is_host=False, sent=Counter(raw for each in sent for raw in frames_of(each))
    )
    while data:
        part, data = data[: (size := rng.randint(1, 99))], data[size:]
        device.feed(part, 0.0)
        monitor.on_rx(part)
        device.read()
    assert (device.dropped, device.crc_errors) == (monitor.dropped, monitor.damaged)
    assert harm or monitor.damaged == 0
    assert monitor.forged == 0


@pytest.mark.quick
def test_forged_frames_are_noticed():
    monitor = LinkMonitor(is_host=False, sent=Counter())
    monitor.on_rx(Hello(random.Random(1).getrandbits(32)).encode())
    assert (monitor.valid, monitor.forged) == (1, 1)
