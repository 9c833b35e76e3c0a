# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import Done, message
from glintfpga.firmware.wire.protocol import MAX_MESSAGE, TO_DEVICE_RING, TO_HOST_RING, Op
from glintfpga.firmware.wire.session import Session

BODY = bytes(TO_HOST_RING + 2 * TO_DEVICE_RING)


class Pair:
    """A session and a device's endpoint; a step takes a millisecond."""

    def __init__(self):
        self.session = Session()
        self.device = Endpoint(Role.DEVICE, info=lambda: RowFacts().hello())
        self.now = 0.0
        self.greet(1)

    def greet(self, nonce):
        self.session.start(nonce, self.now)
        self.step()

    def step(self, count=1):
        for _ in range(count):
            self.now += 0.001
            self.device.feed(self.session.poll(self.now), self.now)
            self.session.feed(self.device.poll(self.now), self.now)


@pytest.fixture
def pair():
    return Pair()


def test_done_when_each_message_had_its_done(pair):
    assert pair.session.done
    pair.session.send(message(Op.RESET), message(Op.COUNTERS))
    for op in (Op.RESET, Op.COUNTERS):
        assert not pair.session.done
        pair.device.write(message(Op.DONE, Done(op=op).encode()))
        pair.step(2)
    assert pair.session.done
    assert [op for op, _ in pair.session.receive_all()] == [Op.DONE, Op.DONE]
    assert pair.session.receive() is None


def test_messages_wait_for_the_session_and_for_room():
    session = Session()
    session.start(1, 0.0)
    session.send(message(Op.PROMPT, BODY))
    assert session.unwritten == session.unconfirmed == 3 + len(BODY)
    pair = Pair()
    pair.session.send(message(Op.PROMPT, BODY))
    assert pair.session.unwritten == 3 + len(BODY) - TO_HOST_RING
    arrived = b""
    while len(arrived) < 3 + len(BODY):
        pair.step()
        arrived += pair.device.read()
    pair.step(2)
    assert arrived == message(Op.PROMPT, BODY)
    assert pair.session.unwritten == pair.session.unconfirmed == 0


def test_replies_that_nobody_takes_make_the_device_wait(pair):
    rest = message(Op.TOKENS, bytes(100)) * 1000
    for _ in range(2000):
        rest = rest[pair.device.write(rest) :]
        pair.step()
    assert MAX_MESSAGE < pair.session.stored <= MAX_MESSAGE + TO_HOST_RING + 3
    assert rest
    pair.session.receive_all()
    before = len(rest)
    pair.step(20)
    rest = rest[pair.device.write(rest) :]
    assert len(rest) < before


def test_a_new_session_drops_what_was_under_way(pair):
    pair.session.send(message(Op.PROMPT, BODY))
    pair.device.write(message(Op.TOKENS, bytes(9)))
    pair.step()
    pair.greet(2)
    assert pair.session.done and pair.session.stored == pair.session.unconfirmed == 0
    assert pair.session.receive() is None
