# SPDX-License-Identifier: MIT
"""What goes wrong on a line, as parts of a recorded conversation.

Each leaves the device in a session that answers; what was said before may be lost.
"""

from cobs import cobs

from glintfpga.firmware.wire.messages import generate, message
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    FALLBACK_ERRORS,
    MAX_PAYLOAD,
    Data,
    DataFlag,
    FrameError,
    FrameSplitter,
    Op,
    parse_frame,
)
from glintfpga.sim.stimulus.driver import TEMPERATURE, Talk

__all__ = [
    *("crowd", "damage", "damage_while_full", "disturb"),
    *("interrupt", "lie", "lose_answers"),
]

PATIENT_TURNS = 3
"""Turns of the link, 2 ms each, after which a running answer is aborted."""
LOST_S = 0.06
"""How long answers are lost: the device sends them again after 50 ms each."""
COUNTERS_OF_A_RING = 40
"""Answers to COUNTERS that are more than the ring holds."""
FULL_S = 0.01
"""After that long the ring is full."""
FULL_OF_TOKENS_S = 0.012
"""The same where 400 tokens are to be computed."""
DAMAGED = 14
"""Frames: more than are counted in three bits."""
PAUSE_S = 0.001
"""Rest of the line after a break, so that the next byte is seen as one."""
FRAME_S = 0.0003
"""A frame with little payload has arrived, and its answer."""
CRC_POLYNOMIAL = 0xEDB88320
LIES, INTERRUPTIONS, CROWDS = 6, 5, 2
CROWD = 60
"""Frames."""


def disturb(talk: Talk) -> None:
    """Noise, an answer that is aborted, sessions within an answer, errors of the line."""
    talk.port.write(bytes(talk.numbers.randrange(256) for _ in range(300)) + b"\0")
    talk.ask(message(Op.COUNTERS))
    talk.ask_later(generate(2000, temperature=TEMPERATURE, seed=7, crc=True))
    talk.wait(PATIENT_TURNS)
    talk.ask(message(Op.ABORT))
    talk.ask_later(generate(2000, temperature=TEMPERATURE, crc=True))
    talk.wait(PATIENT_TURNS)
    talk.again()
    talk.port.set_baud(BAUDS[-1] // 2)
    talk.port.write(bytes(FALLBACK_ERRORS + 2))
    talk.port.set_baud(BAUDS[0])
    talk.rest(PAUSE_S)
    talk.again()
    talk.host.set_baud(len(BAUDS) - 1)


def lose_answers(talk: Talk) -> None:
    """Ask for more than fits the ring, and hear nothing of it for a while."""
    talk.ask_later(generate(700, crc=True))
    talk.wait(1)
    end = talk.port.clock() + LOST_S
    while (left := end - talk.port.clock()) > 0:
        talk.port.read(4096, left)
    talk.ask(message(Op.COUNTERS))


def damage_while_full(talk: Talk) -> None:
    """Frames that are none, while the counters wait for room to be reported."""
    talk.ask_later(*[message(Op.COUNTERS)] * COUNTERS_OF_A_RING)
    talk.port.write(talk.host.talk.step(b"", talk.port.clock()))
    talk.rest(FULL_S)
    for _ in range(DAMAGED):
        talk.port.write(bytes(talk.numbers.randrange(1, 256) for _ in range(12)) + b"\0")
    talk.rest(FULL_S)
    talk.ask(message(Op.COUNTERS))


def damage(talk: Talk) -> None:
    """For each bit of the CRC's register a frame that leaves just this one wrong."""
    talk.again()
    for bit in range(32):
        frame = _data(talk, ack=talk.numbers.randrange(65536), flags=DataFlag.POLL)
        talk.port.write(_damaged(frame, bit))
        talk.rest(FRAME_S)
    talk.ask(message(Op.COUNTERS))


def lie(talk: Talk) -> None:
    """Frames that ack anything, promise any room and come from any place of the stream."""
    numbers = talk.numbers
    for _ in range(LIES):
        talk.again()
        talk.ask_later(generate(300, crc=True))
        talk.wait(1)
        for _ in range(24):
            talk.port.write(
                _data(
                    talk,
                    offset=numbers.randrange(1, 65536),
                    ack=numbers.randrange(1 << numbers.randrange(1, 17)),
                    credit=numbers.randrange(256),
                    payload=bytes(numbers.randrange(256) for _ in range(numbers.choice((0, 5)))),
                    flags=numbers.randrange(2),
                )
            )
            talk.rest(FRAME_S)
    talk.again()


def crowd(talk: Talk) -> None:
    """A long prompt in frames of any length, sent whether there is room for them or not."""
    splitter = FrameSplitter()
    for _ in range(CROWDS):
        talk.again()
        said = message(Op.COUNTERS)  # what a session begins with
        text = bytes(talk.numbers.randrange(256) for _ in range(60_000))
        said, at = said + message(Op.PROMPT, text), len(said)
        for _ in range(CROWD):
            part = said[at : at + talk.numbers.randrange(1, MAX_PAYLOAD + 1)]
            talk.port.write(_data(talk, offset=at, payload=part, flags=DataFlag.POLL))
            for raw in splitter.feed(talk.port.read(4096, 2 * FRAME_S)):
                try:
                    frame = parse_frame(raw)
                except FrameError:
                    continue
                if isinstance(frame, Data):
                    at = frame.ack
    talk.again()


def interrupt(talk: Talk) -> None:
    """New sessions while an answer waits for room, at each of the bytes of a token and its CRC."""
    for number in range(INTERRUPTIONS):
        talk.ask_later(*[message(Op.COUNTERS)] * (number % 5))  # 53 bytes each, a token has 5
        talk.ask_later(generate(3000, temperature=TEMPERATURE, crc=True))
        talk.port.write(talk.host.talk.step(b"", talk.port.clock()))
        talk.rest(FULL_OF_TOKENS_S)
        talk.again()


def _data(talk: Talk, **fields: int | bytes) -> bytes:
    values = {"offset": 0, "ack": 0, "credit": 128} | fields
    return Data(session=talk.session, **values).encode()  # type: ignore[arg-type]


def _damaged(frame: bytes, bit: int) -> bytes:
    """A frame whose CRC register ends with one bit wrong.

    Its 32 last steps are done backwards, from the wrong bit to those of the CRC that make it.
    """
    mask = 1 << bit
    for _ in range(32):
        mask = (mask ^ CRC_POLYNOMIAL) << 1 | 1 if mask >> 31 else mask << 1
    body = cobs.decode(frame[:-1])
    crc = int.from_bytes(body[-4:], "little") ^ mask
    return bytes(cobs.encode(body[:-4] + crc.to_bytes(4, "little"))) + b"\0"
