# SPDX-License-Identifier: MIT
"""Link faults: disturbances of the line, as parts of a recorded conversation.

After each of them the device answers in a valid session; earlier answers may be lost.
"""

from cobs import cobs

from glintfpga.firmware.wire.frames import Data, FrameSplitter, parse_frame
from glintfpga.firmware.wire.messages import generate, message
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    FALLBACK_ERRORS,
    TO_DEVICE_PAYLOAD,
    DataFlag,
    FrameError,
    Op,
)
from glintfpga.sim.stimulus.driver import TEMPERATURE, HostDriver

__all__ = [
    *("overrun", "bad_crcs", "bad_frames_while_full", "noise"),
    *("session_restart", "forged_acks", "lost_answers"),
]

PATIENT_TURNS = 3
"""A running answer is aborted after this many turns of the link, 2 ms each."""
LOST_S = 0.06
"""Time during which answers are lost: the device repeats them after 50 ms."""
COUNTERS_OF_A_RING = 160
"""More answers to COUNTERS than fit into the transmit ring."""
FULL_S = 0.01
"""Time until the ring is full."""
FULL_OF_TOKENS_S = 0.02
"""The same when 1,600 tokens must be computed for it."""
BAD_FRAMES = 14
"""Number of bad frames: more than a three-bit counter counts."""
PAUSE_S = 0.001
"""Idle time after a break, so that the next byte is received."""
FRAME_S = 0.0003
"""Time for a short frame and its answer."""
CRC_POLYNOMIAL = 0xEDB88320
FORGED_ACK_SESSIONS, RESTARTS, OVERRUNS = 6, 5, 2
OVERRUN_FRAMES = 60


def noise(driver: HostDriver) -> None:
    """Random bytes, an aborted answer, new sessions within an answer, framing errors."""
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
    """Request more than fits into the ring, and lose the answers for a while."""
    driver.ask_later(generate(2000, crc=True))
    driver.wait(1)
    end = driver.line.clock() + LOST_S
    while (left := end - driver.line.clock()) > 0:
        driver.line.read(4096, left)
    driver.ask(message(Op.COUNTERS))


def bad_frames_while_full(driver: HostDriver) -> None:
    """Invalid frames while the answers to COUNTERS wait for room in the ring."""
    driver.ask_later(*[message(Op.COUNTERS)] * COUNTERS_OF_A_RING)
    driver.line.write(driver.host.session.step(b"", driver.line.clock()))
    driver.rest(FULL_S)
    for _ in range(BAD_FRAMES):
        driver.line.write(bytes(driver.rng.randrange(1, 256) for _ in range(12)) + b"\0")
    driver.rest(FULL_S)
    driver.ask(message(Op.COUNTERS))


def bad_crcs(driver: HostDriver) -> None:
    """For each bit of the CRC register, a frame in which exactly this bit is wrong."""
    driver.new_session()
    for bit in range(32):
        frame = _data(driver, ack=driver.rng.randrange(65536), flags=DataFlag.POLL)
        driver.line.write(_damaged(frame, bit))
        driver.rest(FRAME_S)
    driver.ask(message(Op.COUNTERS))


def forged_acks(driver: HostDriver) -> None:
    """Frames with random ack, credit and offset."""
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
    """A long prompt in frames of random length, sent without regard to the device's credit."""
    splitter = FrameSplitter()
    for _ in range(OVERRUNS):
        driver.new_session()
        stream = message(Op.COUNTERS)  # what a session begins with
        text = bytes(driver.rng.randrange(256) for _ in range(60_000))
        stream, at = stream + message(Op.PROMPT, text), len(stream)
        for _ in range(OVERRUN_FRAMES):
            part = stream[at : at + driver.rng.randrange(1, TO_DEVICE_PAYLOAD + 1)]
            driver.line.write(_data(driver, offset=at, payload=part, flags=DataFlag.POLL))
            for raw in splitter.feed(driver.line.read(4096, 6 * FRAME_S)):
                try:
                    frame = parse_frame(raw)
                except FrameError:
                    continue
                if isinstance(frame, Data):
                    at = frame.ack
    driver.new_session()


def session_restart(driver: HostDriver) -> None:
    """New sessions while an answer waits for room, at each byte of a token and its CRC."""
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
    """A frame for which the receiver's CRC register ends with exactly one wrong bit.

    The last 32 steps of the CRC run backwards, from that bit to the change of the CRC field.
    """
    mask = 1 << bit
    for _ in range(32):
        mask = (mask ^ CRC_POLYNOMIAL) << 1 | 1 if mask >> 31 else mask << 1
    body = cobs.decode(frame[:-1])
    crc = int.from_bytes(body[-4:], "little") ^ mask
    return bytes(cobs.encode(body[:-4] + crc.to_bytes(4, "little"))) + b"\0"
