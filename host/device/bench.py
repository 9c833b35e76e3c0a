# SPDX-License-Identifier: MIT
"""Measures a device through its counters and the clock of its line."""

from collections.abc import Callable
from typing import Any

from glintfpga.firmware.wire.messages import GENERATE_BYTES, Done, token_bytes
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    CRC_BYTES,
    DATA_HEADER,
    MESSAGE_HEADER,
    SHORT_PAYLOAD,
    payload_limit,
)
from glintfpga.host.device.client import Client

__all__ = ["POSITIONS", "bench", "cycles_at", "rates", "wire_bound"]

POSITIONS = (1, 16, 64, 256)
"""Tokens in the context at which the cycles per token are measured."""
PREFILL = 256
TEMPERATURE = 0.8
SEED = 1
RATE_STEPS = (30, 4)
"""How many steps of the progress each rate makes, as the wire takes most of the time."""
LONG_TOKENS = 5
"""Times as many tokens are timed at a rate with long frames."""
TOLD = 100
"""Report progress every 100 tokens, because each report takes time."""
STEPS = len(POSITIONS) + 2 + sum(RATE_STEPS)

Number = dict[str, Any]
"""``{"value": ..., "how": "measured" | "simulated" | "computed"}``."""


def wire_bound(baud: int, vocab: int) -> float:
    """Tokens per second that a line at ``baud`` carries in full frames, at most.

    They take 189 bytes of 206 at the first rate and 1,997 of 2,014 at the others, where bytes
    without zeros cost up to seven more. A device of eight lanes has shorter frames.
    """
    payload = payload_limit(baud)
    tokens = (payload - MESSAGE_HEADER) // token_bytes(vocab)
    return baud / 10 * tokens / (DATA_HEADER + payload + CRC_BYTES + 2)


def rates(bit_rate: Callable[[int], int]) -> tuple[int, int]:
    """The slowest of ``BAUDS``, and the fastest that is at most the last of them on the wire.

    No USB bridge need be faster, also where a tuned device has rates above that.
    """
    return BAUDS[0], max(baud for baud in BAUDS if bit_rate(baud) <= BAUDS[-1])


def bench(
    client: Client, *, how: str, tokens: int, progress: Callable[[float], None] = lambda done: None
) -> dict[str, Any]:
    """All figures of one device, each with where it comes from.

    ``how`` is the word for what is read off it, ``tokens`` the length of the answer that is
    timed at the first rate. A device without a clock (software) has no figures of the chip. The
    device's context and the rate of the line are different afterward. ``progress`` goes up to
    `STEPS`.
    """
    info = client.info
    result: dict[str, Any] = {
        "device": {
            "lanes": client.machine.lanes,
            "plan": client.machine.plan.code,
            "build_id": info.build_id.hex(),
            "model_id": client.model_id,
        },
        "temperature": TEMPERATURE,
    }
    done = 0

    def step(count: int = 1) -> None:
        nonlocal done
        done += count
        progress(done)

    result["clock_hz"] = {"value": info.clock_hz, "how": "computed"} if info.clock_hz else None
    cycles: dict[str, Number] = {}
    speed: dict[str, Number] = {}
    for position in POSITIONS:
        count = cycles_at(client, position)
        if count and info.clock_hz:
            cycles[str(position)] = {"value": count, "how": how}
            speed[str(position)] = {"value": info.clock_hz / count, "how": "computed"}
        step()
    result["cycles_per_token"] = cycles
    result["tokens_per_second_chip"] = speed
    result["prefill"] = _prefill(client, how)
    step()
    # A simulation behind a pseudo-terminal has no clock of its own: nothing on the line is timed.
    timed = client.link.line.slowness == 1.0
    result["first_byte"] = _first_byte(client, how) if timed else None
    step()
    result["tokens_per_second_wire"] = {}
    slowest = min((item["value"] for item in speed.values()), default=None)
    for nominal, steps in zip(rates(client.link.bit_rate), RATE_STEPS, strict=True):
        baud = client.link.bit_rate(nominal)  # more in a tuned device
        bound = wire_bound(baud, client.vocab)
        chip = min(bound, slowest) if slowest else bound
        entry: dict[str, Number | None] = {
            "bound": {"value": chip, "how": "computed"},
            "reached": None,
            "busy": None,
        }
        if timed and client.set_baud(nominal):
            count = tokens * (LONG_TOKENS if payload_limit(nominal) > SHORT_PAYLOAD else 1)
            rate = _rate(client, count, _part(progress, done, steps / count))
            if rate:
                busy = rate * token_bytes(client.vocab) * 10 / baud
                entry["reached"] = {"value": rate, "how": how}
                entry["busy"] = {"value": busy, "how": how}
        result["tokens_per_second_wire"][str(baud)] = entry
        step(steps)
    return result


def _filled(client: Client, count: int) -> None:
    client.reset()
    client.prompt([(37 * i + 11) % min(client.vocab, 256) for i in range(count)])


def cycles_at(client: Client, position: int) -> int:
    """Cycles of a token that is entered as the ``position``-th and sampled from.

    The first token after a prompt is sampled from what the prompt left; the next one enters.
    """
    _filled(client, position - 1)
    for _ in range(2 if position > 1 else 1):
        # EOS ends an answer, but it was sampled and is pending like any other token.
        for _ in client.generate(1, temperature=TEMPERATURE, seed=SEED):
            pass
    return client.counters().token_cycles


def _prefill(client: Client, how: str) -> dict[str, Number] | None:
    client.reset()
    before = client.counters()
    _filled(client, PREFILL)
    after = client.counters()
    cycles = after.prefill_cycles - before.prefill_cycles
    count = (after.prefill_tokens - before.prefill_tokens) & 0xFFFFFFFF
    if not (cycles and count and client.info.clock_hz):
        return None
    return {
        "cycles_per_token": {"value": cycles / count, "how": how},
        "tokens_per_second_chip": {
            "value": client.info.clock_hz * count / cycles,
            "how": "computed",
        },
    }


def _first_byte(client: Client, how: str) -> dict[str, Any]:
    """From the prompt's first byte on its way to the answer's first byte here."""
    client.reset()
    began = client.link.clock()
    client.prompt([i % client.vocab for i in b"The "])
    for _ in client.generate(1, temperature=0.0):
        pass
    return {
        "baud": client.link.bit_rate(client.link.baud),
        "seconds": {"value": client.link.clock() - began, "how": how},
    }


def _part(progress: Callable[[float], None], done: int, steps: float) -> Callable[[int], None]:
    return lambda tokens: progress(done + steps * tokens)


def _rate(client: Client, tokens: int, progress: Callable[[int], None]) -> float | None:
    """Tokens per second that arrive, from the end of one frame to that of another.

    Counted in bytes of the stream, as a frame may end within a message; of the last frame, which is
    shorter and so earlier, nothing counts.
    """
    client.reset()
    endpoint, clock = client.link.session.endpoint, client.link.clock
    start = endpoint.moved
    arrived = answers = 0
    frames: list[tuple[float, int]] = []
    """When each was first seen to be there, and the bytes that had come then."""
    seed: int | None = SEED
    while arrived < tokens and answers < tokens:  # a model may only draw EOS
        answers += 1
        for _ in client.generate(tokens - arrived, temperature=TEMPERATURE, seed=seed):
            arrived += 1
            if not frames or frames[-1][1] != endpoint.moved:
                frames.append((clock(), endpoint.moved))
            if arrived % TOLD == 0:
                progress(arrived)
        seed = None
    if arrived != tokens or len(frames) < 3:
        return None
    (began, first), (ended, last) = frames[0], frames[-2]
    others = answers * (GENERATE_BYTES + len(Done(op=0).encode()) + 2 * MESSAGE_HEADER)
    tokens_per_byte = tokens / (endpoint.moved - start - others)
    return tokens_per_byte * (last - first) / (ended - began)
