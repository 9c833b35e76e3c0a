# SPDX-License-Identifier: MIT
"""Conversations for `glintfpga.sim.proof.campaign` to record, which use as much of a chip as can
be asked for through its line:

short_talk    the model in the chip, and everything that a host can ask about it
shapes_talk   models of many shapes with random numbers, after each other
tables_talk   models that make the last bits of the tables of SiLU, reciprocals and noise count
long_talk     bad images, the largest model and the first one again; a bad line, lost answers
"""

import random
import zlib
from collections.abc import Iterator

import numpy as np

from glintfpga.firmware.image import Image
from glintfpga.firmware.messages import generate, message, prompt, score
from glintfpga.firmware.protocol import BAUDS, Op
from glintfpga.quant.random_model import random_model
from glintfpga.quant.spec import ModelSpec
from glintfpga.sim.proof.lanes import LaneSim
from glintfpga.sim.proof.noise_questions import noise_model, questions
from glintfpga.sim.proof.shapes import any_model
from glintfpga.sim.proof.table_models import gate_model, length_model
from glintfpga.sim.proof.talk import Talk

__all__ = ["long_talk", "shapes_talk", "short_talk", "tables_talk"]

SHAPES = 16
GATE_TOKENS = 900
"""64 lookups of each table of SiLU a token: 56 of each entry."""
LENGTH_TOKENS = 1800
"""16 reciprocals a token: 28 of each entry."""
BAD_WORDS = (8, 12, 14, 50, 57)
"""16-bit words of an image, each of them wrong in one image."""


def short_talk(sim: LaneSim, image: Image, *, tokens: int = 48) -> None:
    """Hello, a prompt, tokens sampled with noise and without, scores, refusals, counters.

    At last the chip's own model is loaded: that tells which bytes of its memories it fills.
    """
    talk = Talk(sim)
    talk.about(image.model, tokens)
    talk.ask(message(Op.LOAD, image.data))


def shapes_talk(sim: LaneSim, image: Image, *, tokens: int = 64) -> None:
    """`SHAPES` models of any shape, each asked for everything, at all rates of the line; numbers of
    tokens that end with an abort, and ids that no vocabulary has.
    """
    talk = Talk(sim)
    numbers = random.Random(5)
    for number in range(SHAPES):
        talk.again()
        model = any_model(numbers, image.model.plan)
        talk.load(model)
        talk.about(model, tokens)
        talk.ask(
            score(talk.some(model.vocab, tokens), model.vocab),
            generate(
                tokens,
                temperature=numbers.randrange(1, 1024),
                seed=numbers.getrandbits(64),
                crc=True,
            ),
        )
        for bit in numbers.sample(range(16), 4):
            talk.ask(message(Op.PROMPT, (1 << bit).to_bytes(2, "little")))
        talk.abort()
        talk.host.set_baud(1 + number % (len(BAUDS) - 1))
        talk.ask(message(Op.COUNTERS))
        talk.host.set_baud(len(BAUDS) - 1)


def tables_talk(sim: LaneSim, image: Image) -> None:
    """Two long scores, see `table_models`; then the questions of `noise_questions`."""
    talk = Talk(sim)
    numbers, plan = np.random.default_rng(4), image.model.plan
    for model, count in (
        (gate_model(numbers, plan), GATE_TOKENS),
        (length_model(numbers, plan), LENGTH_TOKENS),
    ):
        talk.load(model)
        talk.ask(message(Op.RESET), score(talk.some(model.vocab, count), model.vocab))
    model = noise_model(numbers, plan)
    talk.load(model)
    for one in questions(model):
        talk.ask_later(
            prompt([one.token], model.vocab),
            generate(1, temperature=one.temperature, seed=one.seed),
        )
    talk.ask(message(Op.COUNTERS))


def long_talk(sim: LaneSim, image: Image, *, tokens: int = 200) -> None:
    """Much text; noise, aborts, lost answers; bad images; the largest model; the first one."""
    talk = Talk(sim)
    talk.about(image.model, tokens)
    talk.disturb()
    info = talk.host.info
    plan, numbers = image.model.plan, np.random.default_rng(1)
    largest = ModelSpec(
        loops=info.max_passes // 2,
        hidden=info.max_hidden,
        vocab=info.max_vocab,
        window=info.max_window,
        eos=None,
    )
    model = random_model(numbers, largest, plan)
    talk.load(model)
    talk.about(model, info.max_window + 20)
    smallest = ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None)
    for data in _bad_images(Image.from_model(random_model(numbers, smallest, plan)).data):
        talk.ask(message(Op.LOAD, data), message(Op.RESET))
    talk.ask(message(Op.LOAD, image.data))
    talk.lose_answers()
    talk.damage()
    talk.about(image.model, 40)


def _bad_images(data: bytes) -> Iterator[bytes]:
    """Images with one word wrong, a wrong CRC, and a byte too many."""
    for word in BAD_WORDS:
        bad = bytearray(data[:-4])
        bad[2 * word : 2 * word + 2] = b"\xff\x7f"
        yield bytes(bad) + zlib.crc32(bad).to_bytes(4, "little")
    yield data[:-1] + bytes([data[-1] ^ 0x80])
    yield data + b"\0"
