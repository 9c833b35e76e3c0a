# SPDX-License-Identifier: MIT
"""Recorded conversations: every byte of host and software device, step by step.

They lie in tests/golden/ as text, which tests replay byte for byte against the device and against
the host's session. A change of protocol, numerics or timing shows there as a difference to read.
To record them anew, in the repository: ``PYTHONPATH=tests python -m support.transcripts``.

A line is ``STEP WHAT HEX``; a step is a millisecond, in this order of events::

    greet     nonce (u32, big-endian) with which the host begins a session
    send      messages that the host is given
    host      bytes that the host transmits
    device    bytes that the device transmits
    arrives   what is left on the way of the line above, where that is not all
    reply     a message that the host has received, as in the stream
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.messages import generate, load, message, prompt, score, set_baud
from glintfpga.firmware.wire.protocol import Op
from glintfpga.firmware.wire.session import Session
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.sampler import Sampler
from support.models import random_image

__all__ = ["CONVERSATIONS", "read", "replay_device", "replay_host", "text_of"]

GOLDEN = Path(__file__).parents[1] / "golden"
STEP_S = 0.001
LAST_STEPS = 4
"""After the last answer, in which it is acknowledged."""
LIMIT = 5000

SPEC = ModelSpec(loops=1, vocab=40, hidden=4, window=8, eos=None)
CONFIG = DeviceConfig(build_id=b"golden")

Event = tuple[int, str, bytes]
"""Step, what, bytes: a line of the file."""


@dataclass(frozen=True)
class Action:
    """What the host does next: greet or send; it goes on ``after`` so many steps, or when done."""

    messages: tuple[bytes, ...] = ()
    nonce: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Conversation:
    """A title, what is done, and the numbers of the host's and the device's writes to damage."""

    title: str
    actions: Sequence[Action]
    damaged: dict[str, tuple[int, ...]] = field(default_factory=dict)


def _ask(*messages: bytes, after: int | None = None) -> Action:
    return Action(messages=messages, after=after)


def _conversations() -> Iterator[tuple[str, Conversation]]:
    hello, reset, count = Action(nonce=0x01020304), message(Op.RESET), message(Op.COUNTERS)
    vocab, other = SPEC.vocab, random_image(SPEC, seed=2).data
    text, wrong_token = prompt([3, 1, 4, 1, 5], vocab), prompt([vocab], vocab + 1)
    sampled = generate(6, temperature=205, seed=7, crc=True)
    more = generate(3, temperature=205)
    parts, no_crc = load(other, part=1000), load(other[:-1] + b"\0", part=1000)
    no_command = bytes([11, 0, 0])
    yield "hello", Conversation("two sessions", [hello, Action(nonce=0xA0B0C0D0)])
    yield (
        "versions",
        Conversation(
            "of three greetings only the one of version 1 arrives, as from a host of that version",
            [hello, _ask(count)],
            damaged={"host": (0, 1)},
        ),
    )
    yield (
        "answer",
        Conversation(
            "a prompt and answers: sampled, with the noise going on, greedy",
            [hello, _ask(text, sampled), _ask(more), _ask(reset, generate(3))],
        ),
    )
    yield (
        "score",
        Conversation(
            "CRCs of logits, and all logits of one position",
            [hello, _ask(score([3, 1, 4], vocab)), _ask(score([2], vocab, logits=True))],
        ),
    )
    begin, *_, end = parts
    new = [_ask(*parts), Action(nonce=5), _ask(text, sampled)]
    spoil = [_ask(*no_crc), _ask(generate(1)), Action(nonce=6)]
    unfinished = [_ask(begin, parts[1], end), _ask(end)]
    yield (
        "load",
        Conversation(
            "another model; then an image that is damaged, and one that is not whole",
            [hello, *new, *spoil, *unfinished],
        ),
    )
    refused = _ask(wrong_token, message(Op.GENERATE, b"short"), set_baud(9), no_command)
    yield (
        "counters",
        Conversation(
            "counters, and commands that are refused",
            [hello, _ask(text, generate(4)), _ask(count), refused, _ask(count)],
        ),
    )
    yield (
        "abort",
        Conversation(
            "an answer that is ended",
            [hello, _ask(generate(1000, crc=True), after=9), _ask(message(Op.ABORT))],
        ),
    )
    yield (
        "set_baud",
        Conversation(
            "a change of the rate, which the next hello tells",
            [hello, _ask(set_baud(4), after=4), Action(nonce=5)],
        ),
    )
    yield (
        "damaged",
        Conversation(
            "frames that are damaged on the way, and sent again",
            [hello, _ask(text), _ask(sampled), _ask(count)],
            damaged={"host": (1,), "device": (3,)},
        ),
    )


CONVERSATIONS = dict(_conversations())
"""By the name of the file."""


def _device() -> SoftwareDevice:
    load = partial(reference_model, config=CONFIG)
    model = load(random_image(SPEC, seed=1).data)
    return SoftwareDevice(model=model, load=load, sampler=Sampler(), info=CONFIG.hello())


class _Recorder:
    """Has a conversation; `run` tells what happens in it."""

    def __init__(self, conversation: Conversation):
        self._actions = list(conversation.actions)
        self._damaged = conversation.damaged
        self._writes = {"host": 0, "device": 0}
        self._session = Session()
        self._device = _device()
        self._due: int | None = 0

    def run(self) -> Iterator[Event]:
        step = last = 0
        while self._actions or step < last + LAST_STEPS:
            assert step < LIMIT, "the conversation does not end"
            for what, data in self._step(step):
                yield step, what, data
            if self._actions or not self._session.done:
                last = step
            step += 1

    def _step(self, step: int) -> Iterator[tuple[str, bytes]]:
        now = step * STEP_S
        ready = self._session.done if self._due is None else step >= self._due
        if self._actions and ready:
            yield from self._act(self._actions.pop(0), step)
        arrived = yield from self._carry("host", self._session.poll(now))
        self._device.feed(arrived, now)
        arrived = yield from self._carry("device", self._device.poll(now))
        self._session.feed(arrived, now)
        for op, body in self._session.receive_all():
            yield "reply", _message(op, body)

    def _act(self, action: Action, step: int) -> Iterator[tuple[str, bytes]]:
        self._due = None if action.after is None else step + action.after
        if action.nonce is not None:
            self._session.start(action.nonce, step * STEP_S)
            yield "greet", action.nonce.to_bytes(4, "big")
        else:
            self._session.send(*action.messages)
            yield "send", b"".join(action.messages)

    def _carry(self, side: str, data: bytes) -> Generator[tuple[str, bytes], None, bytes]:
        """What arrives of ``data``."""
        if not data:
            return b""
        yield side, data
        number = self._writes[side]
        self._writes[side] += 1
        if number not in self._damaged.get(side, ()):
            return data
        middle = len(data) // 2
        changed = data[:middle] + bytes([data[middle] ^ 0x10 or 0x20]) + data[middle + 1 :]
        yield "arrives", changed
        return changed


def _message(op: int, body: bytes) -> bytes:
    return bytes([op]) + len(body).to_bytes(2, "little") + body


def replay_device(events: Sequence[Event]) -> list[Event]:
    """What a new device transmits when the host's bytes of a recording arrive."""
    device = _device()
    written = []
    for step, found in _by_step(events):
        device.feed(_arriving(found, "host"), step * STEP_S)
        if data := device.poll(step * STEP_S):
            written.append((step, "device", data))
    return written


def replay_host(events: Sequence[Event]) -> list[Event]:
    """What a new session transmits and receives when the device's bytes of a recording arrive."""
    session = Session()
    written = []
    for step, found in _by_step(events):
        now = step * STEP_S
        for what, data in found:
            if what == "greet":
                session.start(int.from_bytes(data, "big"), now)
            if what == "send":
                session.send(data)
        if data := session.poll(now):
            written.append((step, "host", data))
        session.feed(_arriving(found, "device"), now)
        written += [(step, "reply", _message(*reply)) for reply in session.receive_all()]
    return written


def _by_step(events: Sequence[Event]) -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    for step in range(events[-1][0] + 1):
        yield step, [(what, data) for at, what, data in events if at == step]


def _arriving(found: Sequence[tuple[str, bytes]], side: str) -> bytes:
    """What arrives of the bytes that one side transmits in a step."""
    for (what, data), following in pairwise([*found, ("", b"")]):
        if what == side:
            return following[1] if following[0] == "arrives" else data
    return b""


def read(name: str) -> list[Event]:
    """The events of tests/golden/NAME.transcript."""
    lines = (GOLDEN / f"{name}.transcript").read_text(encoding="ascii").splitlines()
    words = [line.split() for line in lines if not line.startswith("#")]
    return [(int(step), what, bytes.fromhex(data)) for step, what, data in words]


def text_of(conversation: Conversation) -> str:
    """A recording as its file has it."""
    lines = [f"# {conversation.title}", "# step of 1 ms, what, bytes: see support/transcripts.py"]
    lines += [
        f"{step:4} {what:7} {data.hex()}" for step, what, data in _Recorder(conversation).run()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, conversation in CONVERSATIONS.items():
        (GOLDEN / f"{name}.transcript").write_text(text_of(conversation), encoding="ascii")
