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
from glintfpga.sim.stimulus.driver import TEMPERATURE, HostDriver

__all__ = [
    *("overrun", "bad_crcs", "bad_frames_while_full", "noise"),
    *("session_restart", "forged_acks", "lost_answers"),
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
BAD_FRAMES = 14
"""Frames: more than are counted in three bits."""
PAUSE_S = 0.001
"""Rest of the line after a break, so that the next byte is seen as one."""
FRAME_S = 0.0003
"""A frame with little payload has arrived, and its answer."""
CRC_POLYNOMIAL = 0xEDB88320
FORGED_ACK_SESSIONS, RESTARTS, OVERRUNS = 6, 5, 2
OVERRUN_FRAMES = 60
"""Frames."""


def noise(driver: HostDriver) -> None:
    """Noise, an answer that is aborted, sessions within an answer, errors of the line."""
    driver.line.write(bytes(driver.rng.randrange(256) for _ in range(300)) + b"\0")
    driver.ask(message(Op.COUNTERS))
    driver.ask_later(generate(2000, temperature=TEMPERATURE, seed=7, crc=True))
    driver.wait(PATIENT_TURNS)
    driver.ask(message(Op.ABORT))
    driver.ask_later(generate(2000, temperature=TEMPERATURE, crc=True))
    driver.wait(PATIENT_TURNS)
    driver.new_session()
    driver.line.set_baud(BAUDS[-1] // 2)
    driver.line.write(bytes(FALLBACK_ERRORS + 2))
    driver.line.set_baud(BAUDS[0])
    driver.rest(PAUSE_S)
    driver.new_session()
    driver.host.set_baud(len(BAUDS) - 1)


def lost_answers(driver: HostDriver) -> None:
    """Ask for more than fits the ring, and hear nothing of it for a while."""
    driver.ask_later(generate(700, crc=True))
    driver.wait(1)
    end = driver.line.clock() + LOST_S
    while (left := end - driver.line.clock()) > 0:
        driver.line.read(4096, left)
    driver.ask(message(Op.COUNTERS))


def bad_frames_while_full(driver: HostDriver) -> None:
    """Frames that are none, while the counters wait for room to be reported."""
    driver.ask_later(*[message(Op.COUNTERS)] * COUNTERS_OF_A_RING)
    driver.line.write(driver.host.session.step(b"", driver.line.clock()))
    driver.rest(FULL_S)
    for _ in range(BAD_FRAMES):
        driver.line.write(bytes(driver.rng.randrange(1, 256) for _ in range(12)) + b"\0")
    driver.rest(FULL_S)
    driver.ask(message(Op.COUNTERS))


def bad_crcs(driver: HostDriver) -> None:
    """For each bit of the CRC's register a frame that leaves just this one wrong."""
    driver.new_session()
    for bit in range(32):
        frame = _data(driver, ack=driver.rng.randrange(65536), flags=DataFlag.POLL)
        driver.line.write(_damaged(frame, bit))
        driver.rest(FRAME_S)
    driver.ask(message(Op.COUNTERS))


def forged_acks(driver: HostDriver) -> None:
    """Frames that ack anything, promise any room and come from any place of the stream."""
    rng = driver.rng
    for _ in range(FORGED_ACK_SESSIONS):
        driver.new_session()
        driver.ask_later(generate(300, crc=True))
        driver.wait(1)
        for _ in range(24):
            driver.line.write(
                _data(
                    driver,
                    offset=rng.randrange(1, 65536),
                    ack=rng.randrange(1 << rng.randrange(1, 17)),
                    credit=rng.randrange(256),
                    payload=bytes(rng.randrange(256) for _ in range(rng.choice((0, 5)))),
                    flags=rng.randrange(2),
                )
            )
            driver.rest(FRAME_S)
    driver.new_session()


def overrun(driver: HostDriver) -> None:
    """A long prompt in frames of any length, sent whether there is room for them or not."""
    splitter = FrameSplitter()
    for _ in range(OVERRUNS):
        driver.new_session()
        stream = message(Op.COUNTERS)  # what a session begins with
        text = bytes(driver.rng.randrange(256) for _ in range(60_000))
        stream, at = stream + message(Op.PROMPT, text), len(stream)
        for _ in range(OVERRUN_FRAMES):
            part = stream[at : at + driver.rng.randrange(1, MAX_PAYLOAD + 1)]
            driver.line.write(_data(driver, offset=at, payload=part, flags=DataFlag.POLL))
            for raw in splitter.feed(driver.line.read(4096, 2 * FRAME_S)):
                try:
                    frame = parse_frame(raw)
                except FrameError:
                    continue
                if isinstance(frame, Data):
                    at = frame.ack
    driver.new_session()


def session_restart(driver: HostDriver) -> None:
    """New sessions while an answer waits for room, at each of the bytes of a token and its CRC."""
    for number in range(RESTARTS):
        driver.ask_later(*[message(Op.COUNTERS)] * (number % 5))  # 53 bytes each, a token has 5
        driver.ask_later(generate(3000, temperature=TEMPERATURE, crc=True))
        driver.line.write(driver.host.session.step(b"", driver.line.clock()))
        driver.rest(FULL_OF_TOKENS_S)
        driver.new_session()


def _data(driver: HostDriver, **fields: int | bytes) -> bytes:
    values = {"offset": 0, "ack": 0, "credit": 128} | fields
    return Data(session=driver.session, **values).encode()  # type: ignore[arg-type]


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
