# SPDX-License-Identifier: MIT
import random
import re
import threading
import time
from functools import partial

import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.firmware.wire.frames import encode_frame
from glintfpga.firmware.wire.messages import message
from glintfpga.firmware.wire.protocol import BAUDS, TO_DEVICE_RING, TO_HOST_RING, VERSION, Kind, Op
from glintfpga.host.console import progress
from glintfpga.host.device import link as link_module
from glintfpga.host.device.link import Link
from glintfpga.quant.errors import DeviceError


@pytest.fixture
def new_world(new_world):
    return partial(new_world, hashed=True)


def test_connect_tells_what_the_device_is(world, image):
    link = Link(opener=world.open)
    assert link.connect().image_header == image.header
    assert RowFacts.of(link.info).lanes == 4


def test_info_before_connect(world):
    with pytest.raises(DeviceError, match="not greeted yet"):
        _ = Link(opener=world.open).info


def test_every_session_has_a_fresh_id(world):
    link = Link(opener=world.open)
    ids = []
    for _ in range(20):
        link.connect()
        ids.append(link._session_id)
    assert all(a != b for a, b in zip(ids, ids[1:], strict=False))


def test_silent_port_ends_in_one_line(world):
    world.damage = lambda data, arriving: b""
    link = Link(opener=world.open)
    with pytest.raises(LinkLost, match="nothing answers at port 'board'.*glintfpga flash"):
        link.connect()
    assert world.now < 8


def test_first_greetings_lost(world):
    world.damage = lambda data, arriving: b"" if world.now < 0.8 else data
    Link(opener=world.open).connect()


def test_fastest_rate_that_works(world):
    world.bad_rates = (3_000_000, 2_000_000)
    client = world.client()
    assert client.fastest() == 1_500_000
    assert world.line_baud == 1_500_000
    assert client.counters().tokens == 0


def test_no_faster_rate_works(world):
    world.bad_rates = BAUDS[1:]
    client = world.client()
    assert client.fastest() == BAUDS[0]
    client.prompt(b"still here")
    assert client.counters().prefill_tokens == 10


def test_failed_rate_keeps_the_context(world):
    client = world.client()
    client.prompt(b"some context")
    expected = [token.id for token in client.generate(5)]
    client.reset()
    client.prompt(b"some context")
    world.bad_rates = (3_000_000,)
    assert client.fastest() == 2_000_000
    assert [token.id for token in client.generate(5)] == expected


def test_a_device_left_at_another_rate_comes_back(world):
    world.client().fastest()
    again = world.client()
    assert again.link.baud == BAUDS[0]
    assert again.counters().tokens == 0


@pytest.mark.quick
def test_bridge_that_divides_by_four(world):
    world.divider = 4
    client = world.client()
    assert world.line_baud == 4 * BAUDS[0]
    assert client.fastest() == BAUDS[0]
    assert client.counters().tokens == 0


def test_noisy_line_costs_retries_only(world):
    rng = random.Random(3)

    def damage(data, arriving):
        if rng.random() < 0.2:
            at = rng.randrange(len(data) or 1)
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        return data

    client = world.client()
    client.prompt(b"abc")
    expected = [token.id for token in client.generate(300, temperature=1.0, seed=5)]
    world.damage = damage
    client.reset()
    client.prompt(b"abc")
    assert [token.id for token in client.generate(300, temperature=1.0, seed=5)] == expected
    assert client.link.crc_errors + client.counters().crc_errors > 0


def test_device_that_falls_silent(world):
    link = Link(opener=world.open)
    link.connect()
    world.damage = lambda data, arriving: b""
    link.send(message(Op.COUNTERS))
    with pytest.raises(LinkLost, match="fell silent; reset it"):
        link.receive()


@pytest.mark.parametrize(
    "damage, found",
    [
        (lambda data, arriving: b"", "is silent"),
        (lambda data, arriving: b"\xaa" if arriving else data, "says only aaaa"),
    ],
    ids=["silence", "noise"],
)
def test_device_that_is_gone_after_the_change_of_rate(world, damage, found):
    link = Link(opener=world.open)
    link.connect()

    def change(baud):
        world.damage = damage
        return True

    link.line.set_baud = change
    wanted = (
        f"^the device at 'board' answered, and {found}.* since it was to go to 3000000 baud; reset"
    )
    with pytest.raises(LinkLost, match=wanted):
        link.fastest()


def test_long_waits_are_told(world, notes, monkeypatch):
    monkeypatch.setattr(progress, "FIRST_LINES_S", (0.0,))
    link = Link(opener=world.open)
    link.connect()
    link.send(message(Op.COUNTERS))
    assert notes == []
    link.receive()
    assert notes == ["waiting for an answer from 'board': 0:00"]
    link.send(message(Op.PROMPT, bytes(TO_HOST_RING + 2 * TO_DEVICE_RING)))
    assert len(notes) == 2
    assert re.fullmatch(r"sending to 'board': \d+ %.*", notes[1])


def test_leaves_nothing_unacknowledged(world):
    link = Link(opener=world.open)
    link.connect()
    link.send(message(Op.COUNTERS))
    while link.receive()[0] != Op.DONE:
        pass
    link.close()
    said = [world.device.poll(world.now + seconds / 10) for seconds in range(1, 20)]
    assert said == [b""] * len(said)


def test_unplugged_then_back(world):
    link = Link(opener=world.open)
    link.connect()
    world.plugged = False
    with pytest.raises(LinkLost):
        link.receive()
    with pytest.raises(LinkLost, match="no port"):
        link.connect()
    world.plugged = True
    world.reset()
    assert RowFacts.of(link.connect()).lanes == 4


def test_foreign_version_is_refused(world):
    def other(data, arriving):
        return encode_frame(bytes([3 << 4 | Kind.HELLO]) + bytes(132)) if arriving else data

    world.damage = other
    with pytest.raises(
        DeviceError, match=f"version 3, this host version {VERSION}; update this program, or flash"
    ):
        Link(opener=world.open).connect()


def test_idle_sends_keep_alives_in_real_time(world, monkeypatch):
    monkeypatch.setattr(link_module, "KEEP_ALIVE_S", 0.02)
    link = Link(opener=world.open)
    link.connect()
    link.fastest()
    sent = []
    world.damage = lambda data, arriving: sent.append(data) or data
    link.line.real_time = True
    deadline = time.monotonic() + 20
    with link.idle():
        while len([data for data in sent if data]) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert time.monotonic() < deadline
    assert "glintfpga keep-alive" not in [thread.name for thread in threading.enumerate()]
    link.send(message(Op.COUNTERS))
    assert link.receive()[0] == Op.COUNTED


def test_idle_survives_a_lost_line(world):
    link = Link(opener=world.open)
    link.connect()
    link.fastest()
    link.line.real_time = True
    with link.idle():
        world.plugged = False
        time.sleep(0.1)
    with pytest.raises(LinkLost):
        link.receive()
