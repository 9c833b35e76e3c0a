# SPDX-License-Identifier: MIT
"""Compares a device with the integer reference, one CRC of all logits per token."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from glintfpga.firmware.blink.c_model import CompiledModel
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.software import open_software_line
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link

__all__ = ["CompiledSide", "Mismatch", "Verification", "verify"]

PART = 100
"""Tokens per command; the first part that differs ends the comparison."""
LONG_PART = 2000
"""The same against the model in C, which is as fast as the line."""
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


class Side(Protocol):
    """One of the two that are compared."""

    def reset(self) -> None:
        """Empty the context."""

    def scored(self, ids: list[int]) -> list[Row]:
        """Enter tokens."""

    def sampled(self, count: int, seed: int | None) -> list[Row]:
        """``count`` tokens at `TEMPERATURE`; one that ends an answer comes as (None, None), without
        its CRC. What follows it still depends on it, so that it cannot differ unseen."""


def verify(
    client: Client,
    image: Image,
    tokens: int,
    *,
    reference: Side | None = None,
    progress: Progress = lambda done: None,
) -> Verification:
    """Score random tokens and sample as many, on the device and on the reference.

    The device must hold ``image``. Without another ``reference`` that in NumPy is computed as the
    comparison goes, for the device's lanes. Half of the tokens are given ones, the other half is
    sampled with noise, so that noise, sampling and the pending token are compared too.
    """
    part = PART if reference is None else LONG_PART
    other = reference or _ClientSide(_reference(image, client.machine.lanes))
    sides: tuple[Side, Side] = (_ClientSide(client), other)
    for side in sides:
        side.reset()
    given = tokens // 2
    seed: int | None = SEED
    numbers = random.Random(SEED)
    limit = min(image.model.vocab, 256 if image.model.vocab <= 257 else image.model.vocab)
    done = crcs = 0
    while done < tokens:
        size = min(part, tokens - done, given - done if done < given else tokens)
        if done < given:
            ids = [numbers.randrange(limit) for _ in range(size)]
            got, expected = (side.scored(ids) for side in sides)
        else:
            got, expected = (side.sampled(size, seed) for side in sides)
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


class _ClientSide:
    """A device, or the reference in the form of one."""

    def __init__(self, client: Client):
        self._client = client

    def reset(self) -> None:
        self._client.reset()

    def scored(self, ids: list[int]) -> list[Row]:
        return list(zip(ids, (score.crc for score in self._client.score(ids)), strict=True))

    def sampled(self, count: int, seed: int | None) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < count:
            answer = self._client.generate(
                count - len(rows), temperature=TEMPERATURE, seed=seed, crcs=True
            )
            seed = None
            rows += [(token.id, token.crc) for token in answer]
            if len(rows) < count:
                rows.append((None, None))
        return rows


class CompiledSide:
    """The model in C: the same integers, fast enough for millions of tokens.

    Parameters: the running model, and the image's token that ends an answer.
    """

    def __init__(self, model: CompiledModel, *, eos: int | None):
        self._model = model
        self._eos = eos

    def reset(self) -> None:
        self._model.reset()

    def scored(self, ids: list[int]) -> list[Row]:
        return list(zip(ids, self._model.score(ids), strict=True))

    def sampled(self, count: int, seed: int | None) -> list[Row]:
        if seed is not None:
            self._model.seed(seed)
        found = self._model.sample(count, round(TEMPERATURE * 256))
        return [(None, None) if token == self._eos else (token, crc) for token, crc in found]


def _reference(image: Image, lanes: int) -> Client:
    line = open_software_line("ref", image=image.data, lanes=lanes)
    client = Client(Link(opener=lambda: line))
    client.connect()
    return client
