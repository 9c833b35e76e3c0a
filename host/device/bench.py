# SPDX-License-Identifier: MIT
"""Measures a device through its counters and the clock of its line."""

from collections.abc import Callable
from typing import Any

from glintfpga.firmware.wire.messages import token_bytes
from glintfpga.firmware.wire.protocol import BAUDS, MAX_BODY, MAX_MESSAGE_BODY
from glintfpga.host.device.client import Client

__all__ = ["POSITIONS", "RATES", "bench", "cycles_at", "wire_bound"]

POSITIONS = (1, 16, 64, 256)
"""Tokens in the context at which the cycles per token are measured."""
RATES = (BAUDS[0], BAUDS[-1])
PREFILL = 256
TEMPERATURE = 0.8
SEED = 1
RATE_STEPS = (30, 4)
"""How many steps of the progress each rate makes, as the wire takes most of the time."""
TOLD = 100
"""Report progress every 100 tokens, because each report takes time."""
STEPS = len(POSITIONS) + 2 + sum(RATE_STEPS)

Number = dict[str, Any]
"""``{"value": ..., "how": "measured" | "simulated" | "computed"}``."""


def wire_bound(baud: int, vocab: int) -> float:
    """Tokens per second that a line at ``baud`` carries in full frames: 189 bytes of 206."""
    frame = MAX_BODY + 2  # COBS adds a byte, and a zero ends it
    tokens = MAX_MESSAGE_BODY // token_bytes(vocab)
    return baud / 10 * tokens / frame


def bench(
    client: Client, *, how: str, tokens: int, progress: Callable[[float], None] = lambda done: None
) -> dict[str, Any]:
    """All figures of one device, each with where it comes from.

    ``how`` is the word for what is read off it, ``tokens`` the length of the answers that are
    timed. A device without a clock (software) has no figures of the chip. The device's context
    and the rate of the line are different afterward. ``progress`` goes up to `STEPS`.
    """
    info = client.info
    result: dict[str, Any] = {
        "device": {
            "lanes": info.lanes,
            "plan": info.plan,
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
    for baud, steps in zip(RATES, RATE_STEPS, strict=True):
        bound = wire_bound(baud, client.vocab)
        chip = min(bound, slowest) if slowest else bound
        entry: dict[str, Number | None] = {
            "bound": {"value": chip, "how": "computed"},
            "reached": None,
        }
        if timed and client.set_baud(baud):
            rate = _rate(client, tokens, _part(progress, done, steps / tokens))
            entry["reached"] = {"value": rate, "how": how} if rate else None
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
        "baud": client.link.baud,
        "seconds": {"value": client.link.clock() - began, "how": how},
    }


def _part(progress: Callable[[float], None], done: int, steps: float) -> Callable[[int], None]:
    return lambda tokens: progress(done + steps * tokens)


def _rate(client: Client, tokens: int, progress: Callable[[int], None]) -> float | None:
    """Tokens per second that arrive, counted from the moment they are asked for."""
    client.reset()
    arrived = 0
    seed: int | None = SEED
    began = last = client.link.clock()
    for _ in range(tokens):  # answers: a model that only draws EOS would never get there
        if arrived == tokens:
            break
        for _ in client.generate(tokens - arrived, temperature=TEMPERATURE, seed=seed):
            arrived += 1
            last = client.link.clock()
            if arrived % TOLD == 0:
                progress(arrived)
        seed = None
    return arrived / (last - began) if arrived == tokens and last > began else None
