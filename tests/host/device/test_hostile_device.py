# SPDX-License-Identifier: MIT
"""A device that lies: whatever it says, the host ends with an answer or one ``DeviceError``."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.frames import decode_frame, encode_frame
from glintfpga.firmware.wire.messages import Done, take_message
from glintfpga.firmware.wire.protocol import TO_HOST_RING, HelloFlag, Op, Reason, Status
from glintfpga.host.device import link
from glintfpga.host.device.bench import bench
from glintfpga.host.device.client import Client
from glintfpga.quant.blink.plan import PLANS
from glintfpga.quant.errors import DeviceError
from support.damage import attempt, damaged

VOCABULARY = (257).to_bytes(2, "little")
INFO = RowFacts().hello(
    flags=HelloFlag.MODEL,
    image_header=b"GLNT".ljust(16, b"\1") + VOCABULARY + bytes(78),
)


class Liar:
    """Says ``reply`` to the first bytes of a session, and nothing more."""

    baud_index = 0

    def __init__(self, reply, info=INFO):
        self.reply = reply
        self.endpoint = Endpoint(Role.DEVICE, info=lambda: info)
        self.asked = False
        self.left = b""

    def feed(self, data, now):
        self.endpoint.feed(data, now)
        if self.endpoint.read() and not self.asked:
            self.asked = True
            self.left = self.reply

    def poll(self, now):
        self.endpoint.read()
        self.left = self.left[self.endpoint.write(self.left) :]
        return self.endpoint.poll(now)


def said(op, body):
    return bytes([op]) + len(body).to_bytes(2, "little") + body


numbers = st.sampled_from([0, 1, 2, 3, 255, 256, 2**16, 2**31, 2**32 - 1])
dones = st.builds(
    lambda op, status, reason, count: said(
        Op.DONE, Done(op=op, status=status, reason=reason, count=count).encode()
    ),
    st.sampled_from([*(op for op in Op if op < Op.TOKENS), 0, 255]),
    st.sampled_from([Status.OK] * 5 + [*Status, len(Status), 255]),
    st.sampled_from([*Reason, 4, 255]),
    numbers,
)
bodies = st.binary(max_size=12) | st.integers(0, 60).map(bytes) | st.just(b"\xff" * 4096)
anything = st.builds(said, st.sampled_from([*Op, 0, 0x13, 255]), bodies)
replies = st.lists(dones | anything, max_size=5).map(b"".join) | st.binary(max_size=300)

TOKENS = b"to be"
COMMANDS = {
    "reset": lambda client: client.reset(),
    "prompt": lambda client: client.prompt(TOKENS),
    "generate": lambda client: [token.id for token in client.generate(3)],
    "generate with CRCs": lambda client: [token.crc for token in client.generate(3, crcs=True)],
    "score": lambda client: client.score(TOKENS),
    "logits": lambda client: client.score(TOKENS, logits=True),
    "counters": lambda client: client.counters(),
    "load": lambda client: client.load(b"GLNT" + bytes(200)),
    "fastest": lambda client: client.fastest(),
}


@pytest.fixture(scope="module")
def greet(new_world):
    """A client that has greeted a scripted device, and has less patience than others."""

    def go(reply, info=INFO):
        world = new_world(None)
        world.device = Liar(reply, info)
        return world.client()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "STUCK_S", 0.5)
        yield go


@pytest.mark.parametrize("name", COMMANDS)
@settings(max_examples=settings.default.max_examples // 4)
@given(replies)
def test_any_answer(greet, name, reply):
    client = greet(reply)
    got = attempt(lambda: (COMMANDS[name](client),), what="device", size=len(reply))
    if got is None:
        return
    if name.startswith("generate"):
        assert len(got[0]) <= 3
    if name in ("score", "logits"):
        assert [len(score.logits or ()) for score in got[0]] == [257 * (name == "logits")] * 5


@pytest.mark.parametrize(
    ("name", "reply", "words"),
    [
        ("reset", said(Op.DONE, b""), "DONE has 0 bytes, expected 7"),
        ("reset", said(Op.TOKENS, b"a"), "1 bytes of kind 0x10 to RESET; reset it"),
        ("reset", said(Op.DONE, bytes(7)), "DONE of 0x0 to RESET"),
        ("counters", said(Op.COUNTED, b"") * 99, "0 bytes of kind 0x12 to COUNTERS"),
        ("score", said(Op.SCORES, b"") * 99, "0 bytes of kind 0x11 to SCORE"),
        ("counters", said(Op.COUNTED, bytes(41)), "41 bytes of kind 0x12 to COUNTERS"),
        ("counters", said(Op.DONE, Done(op=Op.COUNTERS).encode()), "0 bytes where 40 were due"),
        ("score", said(Op.SCORES, bytes(21)), "21 bytes of kind 0x11 to SCORE"),
        ("generate", said(Op.TOKENS, bytes(4)), "4 bytes of kind 0x10 to GENERATE"),
        ("generate", said(Op.TOKENS, b""), "0 bytes of kind 0x10 to GENERATE"),
        ("generate with CRCs", said(Op.TOKENS, bytes(9)), "9 bytes of kind 0x10"),
        (
            "generate",
            said(Op.DONE, Done(op=Op.GENERATE, reason=9).encode()),
            "reason 9 to GENERATE; reset it",
        ),
        ("generate", said(Op.DONE, Done(op=Op.GENERATE, status=99).encode()), "status 99"),
        ("load", b"", "is there but stopped working; reset it"),
    ],
)
def test_lies(greet, name, reply, words):
    with pytest.raises(DeviceError, match=words):
        COMMANDS[name](greet(reply))


def test_tokens_outside_the_vocabulary(greet):
    small = replace(INFO, image_header=INFO.image_header[:16] + b"\x40\0" + bytes(78))
    with pytest.raises(DeviceError, match="1 bytes of kind 0x10 to GENERATE"):
        list(greet(said(Op.TOKENS, b"\x40"), small).generate(3))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "flags": st.integers(0, 255),
            "machine": st.sampled_from([0, 1, 2, 255]),
            "machine_facts": st.sampled_from([0, 1, 2, 3, 4, 8, 255]).flatmap(
                lambda lanes: st.sampled_from(
                    [b"", b"\0", b"\x09", b"\x0c", b"\xff", b"\x0cx"]
                ).map(lambda rest: bytes([lanes]) + rest)
            )
            | st.just(b""),
            "family": st.sampled_from([0, 1, 2, 255]),
            "clock_hz": numbers.filter(lambda number: number < 2**32),
            "max_payload": st.sampled_from([1, 2, 192, 65535]),
            "ring": st.sampled_from([0, 1, 2048, 65535]),
            "limits": st.sampled_from([b"", bytes(7), bytes(8), b"\xff" * 8, b"\xff" * 20]),
            "build_id": st.binary(min_size=8, max_size=8),
            "baud_index": st.sampled_from([0, 4, 5, 255]),
            "image_header": st.binary(max_size=100) | st.binary(min_size=96, max_size=96),
        },
    )
)
def test_any_hello(greet, fields):
    info = replace(INFO, **fields)
    client = attempt(lambda: greet(b"", info), what="device", size=len(info.encode()))
    if client is not None:
        machine = client.machine
        assert machine.lanes in (2, 4, 8) and machine.plan in PLANS.values()
        assert not client.has_model or 2 <= client.vocab <= machine.limits.vocab


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_for_a_hello(new_world, rest, is_one):
    """Bytes behind the nonce: read, or the greeting goes unanswered, which is said in a line."""
    world = new_world(None)
    data = INFO.encode()[: len(rest)] + rest if is_one else rest

    class Raw(Liar):
        def feed(self, bytes_, now):
            for raw in bytes_.split(b"\0"):
                if raw and (body := decode_frame(raw))[0] & 15 == 1:
                    self.left = encode_frame(b"\x21" + body[1:5] + data)

        def poll(self, now):
            out, self.left = self.left, b""
            return out

    world.device = Raw(b"")
    client = attempt(world.client, what="device", size=len(data))
    assert client is None or RowFacts.of(client.info)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("machine_facts", b"\3\x0c", "3 for its lanes"),
        ("machine_facts", b"\4\0", "0 for its plan"),
        ("baud_index", 5, "5 for"),
        ("machine", 7, "machine 7 for models of family 1"),
    ],
)
def test_hello_says_what_no_device_does(greet, field, value, words):
    with pytest.raises(DeviceError, match=f"says {words}.*; flash the bitstream of this release"):
        greet(b"", replace(INFO, **{field: value}))


@pytest.fixture(scope="module")
def talk(new_world, image):
    """A device that tells the truth, and what it answers."""
    world = new_world(image, hashed=True)
    client = world.client()

    def ask():
        client.connect()
        client.reset()
        client.prompt(TOKENS)
        return [token.id for token in client.generate(8, temperature=1.0, seed=1)]

    return world, ask, ask()


@settings(max_examples=settings.default.max_examples // 4)
@given(st.randoms(use_true_random=False))
def test_damage_of_every_kind_on_the_way_in(talk, rng):
    """Some damaged deliveries cost time; the answer is the right one."""
    world, ask, expected = talk
    left = rng.randint(1, 12)

    def damage(data, arriving):
        nonlocal left
        if not data or left == 0:
            return data
        left -= 1
        return damaged(rng, data)

    world.damage = damage
    try:
        assert attempt(ask, what="damaged frames", size=left) == expected
    finally:
        world.damage = lambda data, arriving: data
    assert ask() == expected


def test_a_flood_nobody_asked_for_has_to_wait(greet):
    """While the user types, what arrives is taken up to one message; then credit runs out."""
    client = greet(said(Op.TOKENS, b"x" * 60_000) * 100)
    client.link.send(said(Op.COUNTERS, b""))
    for _ in range(2000):
        client.link._pump()
    assert 60_000 < client.link.session.stored < 70_000 + TO_HOST_RING


def test_messages_that_never_end(greet):
    """A length field promises 65,535 bytes that do not come."""
    client = greet(b"\x10\xff\xff" + bytes(100))
    buffer = bytearray(b"\x10\xff\xff" + bytes(100))
    assert take_message(buffer) is None and len(buffer) == 103
    with pytest.raises(DeviceError, match="stopped working"):
        client.counters()


def test_a_model_that_never_says_a_word(new_world, image):
    """Every answer ends at once: there is no rate to measure, and no end to wait for."""
    world = new_world(image, hashed=True)
    numerics = world.device._executor.model.numerics
    numerics.logits = lambda: np.eye(257, dtype=np.int64)[256] << 18
    result = bench(world.client(), how="software", tokens=50)
    rates = result["tokens_per_second_wire"].values()
    assert [entry["reached"] for entry in rates] == [None, None]


class Endless:
    """A link to a device that sends tokens whatever it is told."""

    info = INFO

    def send(self, data, **options):
        pass

    def receive(self, **options):
        return Op.TOKENS, b"a" * 1000


def test_tokens_for_ever_behind_an_abort():
    client = Client(Endless())
    next(client.generate(2**32 - 1))
    with pytest.raises(DeviceError, match="tokens for ever to ABORT; reset it"):
        client.reset()
