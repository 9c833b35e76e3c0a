# SPDX-License-Identifier: MIT
"""Damaged input for the tests, and the bounds that every parser keeps whatever it reads.

The random numbers come from the caller, so that hypothesis can shrink what it found.
"""

import copy
import json
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from glintfpga.boards.gowin.bitstream_file import crc16
from glintfpga.quant.errors import GlintError

__all__ = [
    *("MAX_PEAK_BYTES", "MAX_SECONDS", "TALLY", "Tally"),
    *("attempt", "damaged", "damaged_json", "sealed"),
]

MAX_PEAK_BYTES = 50_000_000
MAX_SECONDS = 5.0
"""Of processor time, with memory traced, which makes everything some times slower."""
MAX_LINE = 700

Result = TypeVar("Result")

_NUMBERS = (0, 1, -1, 127, 128, 255, 256, (1 << 15) - 1, 1 << 15, (1 << 16) - 1, 1 << 16,
            (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
            1 << 64, -(1 << 31), -(1 << 63), 10**30)  # fmt: skip
_VALUES: tuple[Any, ...] = (
           None, True, False, *_NUMBERS, 0.5, -0.0, 1e308, float("nan"), float("inf"),
           "", "\0", "\ud800", "\x1b[2J", "a\nb", "é", "x" * 3000, "nan", "inf", "1e999", "-1",
           "9" * 5000, "٣", " 8", "0x8", "1_0", ",,", "none", [], {}, [[]], [{}], [0] * 300,
           {"": 0}, "@deep@", "@huge@", "@digits@")  # fmt: skip
_RAW = {
    '"@deep@"': "[" * 3000 + "]" * 3000,
    '"@huge@"': "1e999",
    '"@digits@"': "9" * 5000,
}


@dataclass
class Tally:
    """What a run of attempts came to, by what was read."""

    attempts: int = 0
    refused: int = 0
    octets: int = 0
    seconds: float = 0.0
    most_bytes: int = 0
    most_seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.attempts} attempts, {self.refused} refused, {self.octets} bytes, "
            f"{self.seconds:.1f} s, at most {self.most_seconds:.3f} s and {self.most_bytes} bytes"
        )


TALLY: dict[str, Tally] = {}
"""Of this process; tests/conftest.py prints it."""


def attempt(parse: Callable[[], Result], *, what: str, size: int) -> Result | None:
    """What ``parse`` returns, or None when it refuses its ``size`` bytes of input as it should.

    Raises ``AssertionError`` when its error has not one printable line, or when it took more
    than `MAX_PEAK_BYTES` or `MAX_SECONDS`. Errors that are no ``GlintError`` pass through.
    """
    tally = TALLY.setdefault(what, Tally())
    tracemalloc.start()
    began = time.process_time()
    result = None
    try:
        result = parse()
    except GlintError as error:
        tally.refused += 1
        line = str(error)
        if not line.isprintable() or not 0 < len(line) <= MAX_LINE:
            raise AssertionError(f"not one line of text: {line!r}") from error
    finally:
        took = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    tally.attempts += 1
    tally.octets += size
    tally.seconds += took
    tally.most_bytes = max(tally.most_bytes, peak)
    tally.most_seconds = max(tally.most_seconds, took)
    if peak > MAX_PEAK_BYTES or took > MAX_SECONDS:
        raise AssertionError(f"{size} bytes of input took {peak} bytes and {took:.3f} s")
    return result


def damaged(rng: random.Random, data: bytes) -> bytes:
    """``data`` with one to four damages: cut, a bit flipped, a number that lies, a span lost..."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, max(0, len(out) - 1))
        size = rng.choice((1, 2, 4, 8, rng.randint(0, 64)))
        span = bytes(out[at : at + size])
        match rng.randrange(9):
            case 0:
                del out[at:]
            case 1 if out:
                out[at] ^= 1 << rng.randrange(8)
            case 2:
                width = rng.choice((1, 2, 4, 8))
                number = rng.choice(_NUMBERS) % (1 << 8 * width)
                out[at : at + width] = number.to_bytes(width, "little")
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = span
            case 5:
                del out[at : at + size]
                to = rng.randint(0, len(out))
                out[to:to] = span
            case 6:
                out[at : at + size] = bytes(len(span))
            case 7:
                out[at:at] = rng.choice((b"\0", b"\xff", b"\xff\xfe", b"\r\n", b"\xc3\x28")) * size
            case _:
                out += rng.randbytes(size)
    return bytes(out)


def damaged_json(rng: random.Random, value: dict[str, Any]) -> bytes:
    """The text of ``value`` with one to three wrong values, names or repeats in it."""
    tree = _Node(json.loads(json.dumps(value)))
    for _ in range(rng.randint(1, 3)):
        places = list(tree.places())
        holder, key = rng.choice(places)
        match rng.randrange(4):
            case 0 if isinstance(holder, dict):
                holder[rng.choice(("", "\0", "x", "__metadata__", "é"))] = holder.pop(key)
            case 1:
                del holder[key]
            case _:
                holder[key] = copy.deepcopy(rng.choice(_VALUES))
    text = json.dumps(tree.value)
    for token, raw in _RAW.items():
        text = text.replace(token, raw)
    if rng.random() < 0.2 and tree.value:
        name = rng.choice(sorted(tree.value))
        text = f"{{{json.dumps(name)}: {json.dumps(rng.choice(_VALUES))}, {text[1:]}"
    return text.encode(rng.choice(("utf-8",) * 8 + ("utf-16", "utf-8-sig")), "surrogatepass")


@dataclass
class _Node:
    value: dict[str, Any] = field(default_factory=dict)

    def places(self) -> Iterator[tuple[Any, Any]]:
        """Each container of the tree with each of its keys or indices."""
        waiting: list[Any] = [self.value]
        found = False
        while waiting:
            holder = waiting.pop()
            for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
                found = True
                yield holder, key
                if isinstance(holder[key], dict | list):
                    waiting.append(holder[key])
        if not found:
            self.value["x"] = 0
            yield self.value, "x"


def sealed(header: Sequence[bytes], frames: Sequence[bytes], footer: Sequence[bytes]) -> bytes:
    """The text of a bitstream of any lines, with the CRCs that its frames must have then."""
    covered = b"".join(line for line in header[3:] if line[0] != 0xD2)
    lines = list(header)
    for frame in frames:
        lines.append(frame + crc16(covered + frame).to_bytes(2, "little") + b"\xff" * 6)
        covered = b"\xff" * 6
    return b"".join(
        f"{int.from_bytes(line, 'big'):0{8 * len(line)}b}\n".encode() for line in (*lines, *footer)
    )
