# SPDX-License-Identifier: MIT
"""Questions whose answers depend on the last bit of each entry of the noise tables.

The noise of one token is a table entry times the temperature, and the token with the largest sum of
logit and noise is drawn (`glintfpga.quant.numbers.sampler`). The last bit of an entry matters when
two sums differ by at most one, once in some thousand draws; and the rarest entries are addressed
once in 65,536 draws. So each question is searched: for each entry a seed whose first words address
it, and a context and a temperature at which tokens 0 and 2, whose lanes have tables of their own,
differ by

    total 0 - total 2 =  0     token 0 is drawn: detects smaller noise of 0 or larger noise of 2
    total 0 - total 2 = -1     token 2 is drawn: detects larger noise of 0 or smaller noise of 2

A question is a prompt of one token and one token generated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.blink.limits import DEFAULT_LANES
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.gumbel import address, noise
from glintfpga.quant.numbers.trivium import KEY_BYTES, WARM_UP_BITS

__all__ = ["Question", "noise_model", "questions", "words_of_seeds"]

SEEDS_LOG2 = 20
"""Number of seeds searched: 16 of them give a word that occurs once in 65,536."""
TEMPERATURES = np.arange(1023, 700, -1)
"""Nearly 4: the last bit of a table entry changes the noise by nearly one."""
VOCAB = 512
TRIES = 12
"""Seeds that are tried for each entry."""


@dataclass(frozen=True)
class Question:
    """A prompt of ``token``, then one token drawn with ``seed``."""

    token: int
    temperature: int
    seed: int
    answer: int
    """0 or 2."""


def noise_model(rng: np.random.Generator, plan: NumberPlan) -> QuantizedModel:
    """A model without memory: logits 0 and 2 are far above all others.

    Their difference depends on the last token only, and is between -20,000 and 20,000.
    """
    spec = ModelSpec(loops=1, hidden=1, vocab=VOCAB, window=1, eos=None)
    model = random_model(rng, spec, plan)
    (one,) = model.passes
    still = replace(one, wv=np.zeros_like(one.wv), down=np.zeros_like(one.down))
    angle = np.linspace(-np.pi, np.pi, VOCAB, endpoint=False)
    length = 9000 + rng.integers(0, 4000, VOCAB)
    flat = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 1.3
    direction = np.concatenate([flat, np.ones((VOCAB, 1))], axis=1)
    embed_out = np.tile([0, 0, -2047], (VOCAB, 1))
    embed_out[0] = (1200, -1, 2047)
    embed_out[2] = (0, 1201, 2047)
    return replace(
        model,
        passes=(still,),
        embed_in=np.round(direction * length[:, None]).astype(np.int64),
        embed_out=embed_out.astype(np.int64),
        shift_logit=plan.min_shift,
    )


def questions(model: QuantizedModel) -> Iterator[Question]:
    """Two per entry of each table, as far as seeds are found; most of them test both tables."""
    logits = _logits_after_each_token(model)
    distance = logits[:, 0] - logits[:, 2]
    words = words_of_seeds(SEEDS_LOG2, 3)
    entries = address(words[[0, 2]])
    left = [set(range(1024)), set(range(1024))]
    by_entry = [np.argsort(side, kind="stable") for side in entries]
    bounds = [
        np.searchsorted(side[order], np.arange(1025))
        for side, order in zip(entries, by_entry, strict=True)
    ]
    for entry in range(1024):
        for side in (0, 1):
            if entry not in left[side]:
                continue
            seeds = by_entry[side][bounds[side][entry] : bounds[side][entry + 1]]
            # The rarest entries of the other table first: they have the fewest seeds.
            wanted = [seed for seed in seeds[:4096] if entries[1 - side][seed] in left[1 - side]]
            wanted.sort(key=lambda seed: entries[1 - side][seed])
            for seed in [*wanted[:TRIES], *seeds[:TRIES]]:
                pair = _pair(distance, words[0][seed], words[2][seed])
                if pair is not None:
                    for wins, (token, temperature) in zip((0, 2), pair, strict=True):
                        yield Question(int(token), int(temperature), int(seed), wins)
                    left[0].discard(int(entries[0][seed]))
                    left[1].discard(int(entries[1][seed]))
                    break


def _logits_after_each_token(model: QuantizedModel) -> NDArray[np.int64]:
    reference = ReferenceModel(model, lanes=DEFAULT_LANES, batch=model.vocab)
    return np.asarray(reference.step(np.arange(model.vocab)))


def _pair(
    distance: NDArray[np.int64], first: int, second: int
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Token and temperature for a margin of 0, and for one of -1; the highest temperature."""
    gap = np.array([noise(int(t), first) - noise(int(t), second) for t in TEMPERATURES])
    margin = distance[None, :] + gap[:, None]
    found = []
    for wanted in (0, -1):
        at = np.argwhere(margin == wanted)
        if not len(at):
            return None
        found.append((int(at[0][1]), int(TEMPERATURES[at[0][0]])))
    return found[0], found[1]


def words_of_seeds(log2: int, count: int) -> NDArray[np.int64]:
    """(count, 2**log2): the first 16-bit words of the streams of all seeds below ``2**log2``.

    `Trivium` of all seeds at once: bit s of each integer is of seed s.
    """
    size = 1 << log2
    zero, ones = 0, (1 << size) - 1
    key = [zero] * (8 * KEY_BYTES)
    for bit in range(log2):
        run = 1 << bit  # that many seeds in a row have the bit, then as many have not
        pattern, length = ((1 << run) - 1) << run, 2 * run
        while length < size:
            pattern |= pattern << length
            length *= 2
        key[bit] = pattern
    # As in `Trivium`, s[i] is at i - 1: the key from its last bit on, then zeros.
    a = key[::-1] + [zero] * 13
    b, c = [zero] * 84, [zero] * 108 + [ones] * 3
    stream = []
    for _ in range(WARM_UP_BITS + 16 * count):
        t1, t2, t3 = a[65] ^ a[92], b[68] ^ b[83], c[65] ^ c[110]
        stream.append(t1 ^ t2 ^ t3)
        t1 ^= (a[90] & a[91]) ^ b[77]
        t2 ^= (b[81] & b[82]) ^ c[86]
        t3 ^= (c[108] & c[109]) ^ a[68]
        a, b, c = [t3, *a[:-1]], [t1, *b[:-1]], [t2, *c[:-1]]
    rows = np.array(
        [
            np.unpackbits(
                np.frombuffer(bits.to_bytes(size // 8, "little"), np.uint8), bitorder="little"
            )
            for bits in stream[WARM_UP_BITS:]
        ],
        np.int64,
    ).reshape(count, 16, size)
    weights = 1 << np.arange(15, -1, -1)
    return np.tensordot(rows, weights, axes=(1, 0))
