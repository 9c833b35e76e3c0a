# SPDX-License-Identifier: MIT
"""Compares a device with the integer reference, one CRC of all logits per token."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.software import open_software_line
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link

__all__ = ["Mismatch", "Verification", "verify"]

PART = 100
"""Tokens per command; the first part that differs ends the comparison."""
TEMPERATURE = 0.8
SEED = 1

Progress = Callable[[int], None]
"""Called with the tokens compared so far."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The first token at which the device differs. ``id`` is None when it sent fewer tokens."""

    position: int
    expected: tuple[int | None, int | None]
    """Token and CRC of the reference."""
    got: tuple[int | None, int | None]
    generated: bool
    """Whether the token was sampled rather than given."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was compared. Equal means ``mismatches == 0``."""

    tokens: int
    crcs: int
    mismatches: int
    first: Mismatch | None


Row = tuple[int | None, int | None]


def verify(
    client: Client, image: Image, tokens: int, *, progress: Progress = lambda done: None
) -> Verification:
    """Score random tokens and sample as many, on the device and on the reference.

    The device must hold ``image``; the reference is computed as the comparison goes, for the
    device's lanes. Half of the tokens are given ones, the other half is sampled with noise, so
    that noise, sampling and the pending token are compared too.
    """
    reference = _reference(image, client.machine.lanes)
    sides = (client, reference)
    for side in sides:
        side.reset()
    given = tokens // 2
    seed: int | None = SEED
    numbers = random.Random(SEED)
    limit = min(image.model.vocab, 256 if image.model.vocab <= 257 else image.model.vocab)
    done = crcs = 0
    while done < tokens:
        size = min(PART, tokens - done, given - done if done < given else tokens)
        if done < given:
            ids = [numbers.randrange(limit) for _ in range(size)]
            got, expected = (_scored(side, ids) for side in sides)
        else:
            got, expected = (_generated(side, size, seed) for side in sides)
            seed = None
        wrong = [i for i, pair in enumerate(zip(got, expected, strict=True)) if pair[0] != pair[1]]
        crcs += sum(crc is not None for _, crc in got)
        if wrong:
            first = Mismatch(
                position=done + wrong[0],
                expected=expected[wrong[0]],
                got=got[wrong[0]],
                generated=done >= given,
            )
            return Verification(tokens=done + size, crcs=crcs, mismatches=len(wrong), first=first)
        done += size
        progress(done)
    return Verification(tokens=done, crcs=crcs, mismatches=0, first=None)


def _scored(side: Client, ids: list[int]) -> list[Row]:
    return list(zip(ids, (score.crc for score in side.score(ids)), strict=True))


def _generated(side: Client, size: int, seed: int | None) -> list[Row]:
    """``size`` sampled tokens; one at which an answer ends comes without its CRC, as (None, None).

    What follows it still depends on it, so that it cannot differ unseen.
    """
    rows: list[Row] = []
    while len(rows) < size:
        answer = side.generate(size - len(rows), temperature=TEMPERATURE, seed=seed, crcs=True)
        seed = None
        rows += [(token.id, token.crc) for token in answer]
        if len(rows) < size:
            rows.append((None, None))
    return rows


def _reference(image: Image, lanes: int) -> Client:
    line = open_software_line("ref", image=image.data, lanes=lanes)
    client = Client(Link(opener=lambda: line))
    client.connect()
    return client
