# SPDX-License-Identifier: MIT
"""Lines as they are met in the field; behind each is the software device, or something else."""

import re

import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost
from glintfpga.firmware.wire.endpoint import HELLO_S
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.device.link import Link
from glintfpga.quant.errors import DeviceError


@pytest.fixture
def new_world(new_world):
    def make(*arguments):
        return new_world(*arguments, hashed=True)

    return make


def works(client):
    client.reset()
    client.prompt(b"abc")
    return len([token.id for token in client.generate(300)]) == 300


def test_bridge_that_divides_by_four_is_found_and_told_once(world, notes):
    world.divider = 4
    client = world.client()
    assert world.now < 0.5
    assert world.line_baud == 460_800
    (line,) = notes
    assert re.search(r"of board divides rates by 4: other programs need 460800 baud", line)
    assert "update the board's debugger firmware as https://" in line
    assert client.fastest() == BAUDS[0] == client.link.bit_rate(BAUDS[0])
    assert works(client)
    before = world.now
    client.connect()
    assert world.now - before < 0.1
    assert len(notes) == 1


def test_bridge_that_does_not_divide_is_not_mentioned(world, notes):
    world.client()
    assert world.now < 0.1
    assert notes == []


def tuned_by(world, factor):
    """The device runs so much faster than it was built for, and the host knows of it."""
    world.divider = factor  # seen from the device the line is that much slower
    real = world.open

    def open_line():
        line = real()
        line.rate_factors = (1, factor, 4)
        return line

    world.open = open_line


@pytest.mark.parametrize(
    ("factor", "fastest", "rate"),
    [
        (1.25, 2_000_000, 2_500_000),
        (1.5, 2_000_000, 3_000_000),
        (1.75, 1_500_000, 2_625_000),
        (2, 1_500_000, 3_000_000),
    ],
)
def test_a_tuned_device(world, notes, factor, fastest, rate):
    tuned_by(world, factor)
    world.fastest = 3_000_000
    client = world.client()
    assert world.now < 0.5
    assert client.link.bit_rate(BAUDS[0]) == world.line_baud == factor * BAUDS[0]
    assert client.fastest() == fastest
    assert client.link.bit_rate(fastest) == world.line_baud == rate
    assert works(client)
    assert notes == []
    client.connect()
    assert works(client)


def test_a_tuned_device_that_has_the_clock_of_its_build_now(world, notes):
    tuned_by(world, 1.5)
    world.divider = 1
    client = world.client()
    assert world.now < 0.1
    assert client.fastest() == BAUDS[-1] == world.line_baud
    assert notes == []


@pytest.mark.parametrize("baud", BAUDS[1:])
def test_device_left_at_a_higher_rate_is_found_at_once(world, baud):
    world.device._executor.baud_index = BAUDS.index(baud)
    client = world.client()
    assert world.now < 2.5 * HELLO_S
    assert client.link.baud == world.line_baud == BAUDS[0]
    assert client.fastest() == BAUDS[-1]
    assert works(client)


def test_device_left_at_a_higher_rate_behind_a_dividing_bridge(world):
    world.divider = 4
    world.device._executor.baud_index = len(BAUDS) - 1
    assert works(world.client())
    assert world.line_baud == 4 * BAUDS[0]


@pytest.mark.parametrize("count", [1, 5, 30])
def test_first_bytes_lost_at_every_opening(world, count):
    lost = {True: count, False: count}

    def damage(data, arriving):
        gone = min(lost[arriving], len(data))
        lost[arriving] -= gone
        return data[gone:]

    world.damage = damage
    client = world.client()
    assert world.now < 1.0
    assert works(client)


def test_rate_that_the_port_does_not_have(world):
    world.fastest = 1_500_000
    client = world.client()
    assert client.fastest() == 1_500_000
    assert works(client)


@pytest.mark.quick
def test_rate_that_fails_costs_little(world):
    world.bad_rates = BAUDS[2:]
    client = world.client()
    began = world.now
    assert client.fastest() == BAUDS[1]
    assert world.now - began < 2.0
    assert works(client)


class Thing(ByteLine):
    """A line to something that is no device; ``answer`` makes what comes back of what went."""

    name = "COM5"
    real_time = True
    rate_factors = (1, 4)

    def __init__(self, answer):
        self.now = 0.0
        self.answer = answer
        self.coming = b""

    def clock(self):
        return self.now

    def read(self, size, timeout):
        if not self.coming:
            self.now += timeout
        data, self.coming = self.coming[:size], self.coming[size:]
        self.now += 1e-4 * len(data)
        return data

    def write(self, data):
        self.coming += self.answer(data)

    def set_baud(self, baud):
        return baud == BAUDS[0]


@pytest.mark.parametrize(
    "answer, found",
    [
        (lambda data: b"", "nothing answers at port 'COM5': none of our bitstreams is running"),
        (lambda data: data, "port 'COM5' echoes what it is sent: another bitstream is running"),
        (
            lambda data: b"\r\nunknown command\r\nconsole:/> ",
            "port 'COM5' answers with text ('unknown commandconsole:/> unknown'): another",
        ),
        (
            lambda data: bytes(255 - byte for byte in data),
            "port 'COM5' answers with other bytes (ff",
        ),
        (lambda data: bytes(range(128, 256)) * 99, "port 'COM5' answers with other bytes (8081"),
    ],
    ids=["silence", "echo", "console", "rubbish", "flood"],
)
def test_port_without_a_device(answer, found):
    thing = Thing(answer)
    with pytest.raises(LinkLost) as caught:
        Link(opener=lambda: thing).connect()
    text = str(caught.value)
    assert text.startswith(found)
    assert text.endswith("; put ours on the board (glintfpga flash), or name another port")
    assert "\n" not in text and len(text) < 300
    assert thing.now < 5


def test_device_that_stays_away_after_a_reset(world):
    link = Link(opener=world.open)
    link.connect()
    world.damage = lambda data, arriving: b""
    with pytest.raises(LinkLost, match="'board' does not answer; reset it"):
        link.greet()
    assert RowFacts.of(link.info).lanes == 4


def test_board_unplugged_during_a_load_and_plugged_in_again(world, image):
    client = world.client()
    client.fastest()
    seen = []

    def pull(data, arriving):
        seen.append(data)
        world.plugged = len(seen) < 4
        return data

    world.damage = pull
    with pytest.raises(LinkLost, match="plug the board in again"):
        client.load(image.data)
    with pytest.raises(DeviceError, match="there is no port"):
        client.connect()
    world.damage = lambda data, arriving: data
    world.plugged = True
    world.reset()
    client.connect()
    assert client.link.baud == BAUDS[0]
    client.load(image.data)
    assert works(client)


def test_line_lost_between_two_rates(world):
    client = world.client()
    set_baud = client.link.line.set_baud

    def pull(baud):
        world.plugged = False
        return set_baud(baud)

    client.link.line.set_baud = pull
    with pytest.raises(LinkLost):
        client.fastest()
    world.plugged = True
    world.reset()
    client.connect()
    assert client.fastest() == BAUDS[-1]
