# SPDX-License-Identifier: MIT
"""Conversations for `glintfpga.sim.gowin.faults.campaign` to record, which use as much of a chip as
can be asked for through its line:

short_talk     the model in the chip, and everything that a host can ask about it
shapes_talk    models of many shapes with random numbers, after each other
tables_talk    models that make the last bits of the tables of SiLU, reciprocals and noise count
contests_talk  models whose tokens are close to each other
rough_talk     frames that are damaged, lie or find no room; images with any word wrong
long_talk      bad images, the largest model and the first one again; a bad line, lost answers
"""

import random
import zlib
from collections.abc import Iterator

import numpy as np

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.messages import generate, message, prompt, score
from glintfpga.firmware.wire.protocol import BAUDS, MAX_TEMPERATURE, Op
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.sim.gowin.netlist.bitparallel import LaneSim
from glintfpga.sim.stimulus import link_faults
from glintfpga.sim.stimulus.driver import Talk
from glintfpga.sim.stimulus.gumbel_entries import noise_model, questions
from glintfpga.sim.stimulus.lut_tables import gate_model, length_model
from glintfpga.sim.stimulus.near_ties import close_model, ends_model
from glintfpga.sim.stimulus.shapes import any_model

__all__ = [
    *("TALKS", "contests_talk", "long_talk", "rough_talk"),
    *("shapes_talk", "short_talk", "tables_talk"),
]

SHAPES = 16
GATE_TOKENS = 900
"""64 lookups of each table of SiLU a token: 56 of each entry."""
LENGTH_TOKENS = 1800
"""16 reciprocals a token: 28 of each entry."""
BAD_WORDS = (8, 12, 14, 50, 57)
"""16-bit words of an image, each of them wrong in one image."""
ANY_WORDS = (*range(4, 18), *range(48, 63))
"""Those of its sizes, shifts and places in memory."""
ODD_IMAGES = 40
CLOSE, ENDS = 12, 6
"""Models of each kind in `contests`."""


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


def contests_talk(sim: LaneSim, image: Image) -> None:
    """Models whose tokens contest closely, at all temperatures; ids that are just no tokens."""
    talk = Talk(sim)
    numbers = random.Random(9)
    for make in (close_model,) * CLOSE + (ends_model,) * ENDS:
        model = make(numbers, image.model.plan)
        talk.load(model)
        sampled = generate(
            300, temperature=numbers.randrange(1, MAX_TEMPERATURE + 1), seed=numbers.getrandbits(64)
        )
        talk.ask(
            message(Op.RESET),
            prompt(talk.some(model.vocab, 60), model.vocab),
            sampled,
            generate(40, crc=True),
            generate(300, temperature=1 << numbers.randrange(9)),
            score(talk.some(model.vocab, 20), model.vocab),
            score(talk.some(model.vocab, 1), model.vocab, logits=True),
        )
        for token in (*(1 << bit for bit in range(16)), model.vocab - 1, model.vocab):
            talk.ask_later(message(Op.PROMPT, token.to_bytes(2, "little")))
        talk.ask(message(Op.COUNTERS))


def rough_talk(sim: LaneSim, image: Image) -> None:
    """Frames that damage, lie and crowd, sessions that are broken off; images of which any word is
    wrong; the first model again.
    """
    talk = Talk(sim)
    link_faults.damage(talk)
    link_faults.lie(talk)
    link_faults.crowd(talk)
    link_faults.interrupt(talk)
    good = Image.from_model(_smallest(np.random.default_rng(3), image.model.plan)).data
    for _ in range(ODD_IMAGES):
        word = talk.numbers.choice(ANY_WORDS)
        was = int.from_bytes(good[2 * word : 2 * word + 2], "little")
        other = (talk.numbers.getrandbits(16), was ^ 1 << talk.numbers.randrange(16), was + 1)
        talk.ask(message(Op.LOAD, _changed(good, word, talk.numbers.choice(other))))
    talk.ask(message(Op.LOAD, image.data))
    talk.about(image.model, 16)


def long_talk(sim: LaneSim, image: Image, *, tokens: int = 200) -> None:
    """Much text; noise, aborts, lost answers; bad images; the largest model; the first one."""
    talk = Talk(sim)
    talk.about(image.model, tokens)
    link_faults.disturb(talk)
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
    for data in _bad_images(Image.from_model(_smallest(numbers, plan)).data):
        talk.ask(message(Op.LOAD, data), message(Op.RESET))
    talk.ask(message(Op.LOAD, image.data))
    link_faults.lose_answers(talk)
    link_faults.damage_while_full(talk)
    talk.about(image.model, 40)


def _bad_images(data: bytes) -> Iterator[bytes]:
    """Images with one word wrong, a wrong CRC, and a byte too many."""
    for word in BAD_WORDS:
        yield _changed(data, word, 0x7FFF)
    yield data[:-1] + bytes([data[-1] ^ 0x80])
    yield data + b"\0"


def _changed(data: bytes, word: int, value: int) -> bytes:
    """The image with another word and the CRC that it has then."""
    bad = bytearray(data[:-4])
    bad[2 * word : 2 * word + 2] = (value % 65536).to_bytes(2, "little")
    return bytes(bad) + zlib.crc32(bad).to_bytes(4, "little")


def _smallest(numbers: np.random.Generator, plan: NumberPlan) -> QuantizedModel:
    spec = ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None)
    return random_model(numbers, spec, plan)


TALKS = (short_talk, shapes_talk, tables_talk, contests_talk, rough_talk, long_talk)
"""All of them; the first loads no model but the chip's own."""
