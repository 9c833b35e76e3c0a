# SPDX-License-Identifier: MIT
"""What the line below an answer says of its speed."""

import re
from types import SimpleNamespace

import pytest

from glintfpga.firmware.wire.messages import Counters
from glintfpga.firmware.wire.protocol import Reason
from glintfpga.host.chat.answer_speed import AnswerSpeed


class Played:
    """A client whose clock and counters are given."""

    def __init__(self, name="ref:", clock_hz=0, counters=()):
        self.now = 0.0
        self._counters = iter(counters)
        self.link = SimpleNamespace(clock=lambda: self.now, line=SimpleNamespace(name=name))
        self.info = SimpleNamespace(clock_hz=clock_hz, build_id=bytes(8))

    def counters(self):
        return next(self._counters, Counters())


@pytest.mark.parametrize(
    ("times_s", "text"),
    [
        ((0.0, 0.1, 0.2), "[3 tokens; 10 tokens/s over the wire (software)]"),
        ((5.0, 5.0, 5.1, 5.1), "[4 tokens; 20 tokens/s over the wire (software)]"),
        ((0.0, 0.0005, 0.0009), "[3 tokens]"),
        ((3.0,), "[1 token]"),
        ((), "[0 tokens]"),
    ],
)
def test_a_rate_is_told_only_from_several_frames(times_s, text):
    """Tokens of the first frame arrive at once; those after it took the time."""
    client = Played()
    speed = AnswerSpeed(client)
    for client.now in times_s:
        speed.count_one()
    assert speed.line(None) == text


@pytest.mark.quick
@pytest.mark.parametrize(
    ("sampled", "text"),
    [
        (1, "[1 token, end of text]"),
        (2, "[2 tokens, end of text; 100,000 tokens/s on the chip (simulated)]"),
        (50, "[50 tokens, end of text; 100,000 tokens/s on the chip (simulated)]"),
    ],
)
def test_the_first_token_is_no_measure_of_the_chip(sampled, text):
    """Its passes were run with the question: 90 cycles here, where the others take 540."""
    before = Counters(tokens=(1 << 32) - 1, token_cycles=7, total_cycles=1000)
    after = Counters(
        tokens=sampled - 1,  # it wraps
        token_cycles=540 if sampled > 1 else 90,
        total_cycles=1000 + 90 + 540 * (sampled - 1),
    )
    speed = AnswerSpeed(Played("sim:", 54_000_000, [before, after]))
    for _ in range(sampled):
        speed.count_one()
    assert speed.line(Reason.EOS) == text


def test_a_short_answer_is_told_no_faster_than_a_long_one(command):
    """On the gateware itself: the shipped window of 8 makes every token equal."""
    rates = set()
    for count in (2, 5, 40):
        _, _, err = command("chat", "sim:", "-n", count, "-s", 1, stdin=b"the house and ")
        rates.add(re.search(r"([\d,]+) tokens/s on the chip", err)[1])
    assert rates == {"174,194"}
