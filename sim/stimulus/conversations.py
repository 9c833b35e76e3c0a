# SPDX-License-Identifier: MIT
"""The stimuli of a fault campaign: conversations that exercise as much of the chip as possible.

short_stimulus        the model in the chip, and every request that a host can make
shapes_stimulus       models of many shapes with random weights, one after the other
luts_stimulus         models sensitive to the last bits of the tables (SiLU, reciprocals, noise)
near_ties_stimulus    models whose tokens have almost equal logits
link_faults_stimulus  damaged frames, forged acks, overruns; images with one wrong word
long_stimulus         bad images, the largest model, the first model again; a noisy line, lost
                      answers
"""

import random
import zlib
from collections.abc import Iterator

import numpy as np

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.messages import generate, message, prompt, score
from glintfpga.firmware.wire.protocol import BAUDS, MAX_TEMPERATURE, Op
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.stimulus import link_faults
from glintfpga.sim.stimulus.driver import HostDriver
from glintfpga.sim.stimulus.gumbel_entries import noise_model, questions
from glintfpga.sim.stimulus.lut_tables import denominator_model, gate_model
from glintfpga.sim.stimulus.near_ties import near_tie_model, vocab_edges_model
from glintfpga.sim.stimulus.shapes import any_model

__all__ = [
    *("STIMULI", "near_ties_stimulus", "long_stimulus", "link_faults_stimulus"),
    *("shapes_stimulus", "short_stimulus", "luts_stimulus"),
]

SHAPES = 16
GATE_TOKENS = 900
"""64 lookups of each table of SiLU per token: 56 of each entry."""
DENOMINATOR_TOKENS = 1800
"""16 reciprocals per token: 28 of each entry."""
BAD_WORDS = (8, 12, 14, 50, 57)
"""16-bit words of an image, each of them wrong in one image."""
ANY_WORDS = (*range(4, 18), *range(48, 63))
"""The words with sizes, shifts and places in memory."""
ODD_IMAGES = 40
NEAR_TIES, VOCAB_EDGES = 12, 6
"""Number of models of each kind in `near_ties`."""


def short_stimulus(sim: BitParallelSim, image: Image, *, tokens: int = 48) -> None:
    """Hello, a prompt, tokens sampled with and without noise, scores, refusals, counters.

    The chip's own model is loaded at the end: this shows which bytes of its memories a load writes.
    """
    driver = HostDriver(sim)
    driver.exercise(image.model, tokens)
    driver.load_image(image.data)


def shapes_stimulus(sim: BitParallelSim, image: Image, *, tokens: int = 64) -> None:
    """`SHAPES` models of random shapes: all requests, at all bauds, with aborts and invalid ids."""
    driver = HostDriver(sim)
    rng = random.Random(5)
    for number in range(SHAPES):
        driver.new_session()
        model = any_model(rng, image.model.plan)
        driver.load(model)
        driver.exercise(model, tokens)
        driver.ask(
            score(driver.random_tokens(model.vocab, tokens), model.vocab),
            generate(
                tokens,
                temperature=rng.randrange(1, 1024),
                seed=rng.getrandbits(64),
                crc=True,
            ),
        )
        for bit in rng.sample(range(16), 4):
            driver.ask(message(Op.PROMPT, (1 << bit).to_bytes(2, "little")))
        driver.abort()
        driver.host.set_baud(1 + number % (len(BAUDS) - 1))
        driver.ask(message(Op.COUNTERS))
        driver.host.set_baud(len(BAUDS) - 1)


def luts_stimulus(sim: BitParallelSim, image: Image) -> None:
    """Two long scores (see `lut_tables`), then the questions of `gumbel_entries`."""
    driver = HostDriver(sim)
    rng, plan = np.random.default_rng(4), image.model.plan
    for model, count in (
        (gate_model(rng, plan), GATE_TOKENS),
        (denominator_model(rng, plan), DENOMINATOR_TOKENS),
    ):
        driver.load(model)
        driver.ask(message(Op.RESET), score(driver.random_tokens(model.vocab, count), model.vocab))
    model = noise_model(rng, plan)
    driver.load(model)
    for one in questions(model):
        driver.ask_later(
            prompt([one.token], model.vocab),
            generate(1, temperature=one.temperature, seed=one.seed),
        )
    driver.ask(message(Op.COUNTERS))


def near_ties_stimulus(sim: BitParallelSim, image: Image) -> None:
    """Models with near ties, at all temperatures; token ids just outside the vocabulary."""
    driver = HostDriver(sim)
    rng = random.Random(9)
    for make in (near_tie_model,) * NEAR_TIES + (vocab_edges_model,) * VOCAB_EDGES:
        model = make(rng, image.model.plan)
        driver.load(model)
        sampled = generate(
            300, temperature=rng.randrange(1, MAX_TEMPERATURE + 1), seed=rng.getrandbits(64)
        )
        driver.ask(
            message(Op.RESET),
            prompt(driver.random_tokens(model.vocab, 60), model.vocab),
            sampled,
            generate(40, crc=True),
            generate(300, temperature=1 << rng.randrange(9)),
            score(driver.random_tokens(model.vocab, 20), model.vocab),
            score(driver.random_tokens(model.vocab, 1), model.vocab, logits=True),
        )
        for token in (*(1 << bit for bit in range(16)), model.vocab - 1, model.vocab):
            driver.ask_later(message(Op.PROMPT, token.to_bytes(2, "little")))
        driver.ask(message(Op.COUNTERS))


def link_faults_stimulus(sim: BitParallelSim, image: Image) -> None:
    """Bad CRCs, forged acks, overruns, restarted sessions; images with one wrong word; the first
    model again.
    """
    driver = HostDriver(sim)
    link_faults.bad_crcs(driver)
    link_faults.forged_acks(driver)
    link_faults.overrun(driver)
    link_faults.session_restart(driver)
    good = Image.from_model(_smallest(np.random.default_rng(3), image.model.plan)).data
    for _ in range(ODD_IMAGES):
        word = driver.rng.choice(ANY_WORDS)
        was = int.from_bytes(good[2 * word : 2 * word + 2], "little")
        other = (driver.rng.getrandbits(16), was ^ 1 << driver.rng.randrange(16), was + 1)
        driver.load_image(_changed(good, word, driver.rng.choice(other)))
    driver.load_image(image.data)
    driver.exercise(image.model, 16)


def long_stimulus(sim: BitParallelSim, image: Image, *, tokens: int = 200) -> None:
    """Much text; noise, aborts, lost answers; bad images; the largest model; the first model."""
    driver = HostDriver(sim)
    driver.exercise(image.model, tokens)
    link_faults.noise(driver)
    limits = RowFacts.of(driver.host.info).limits
    plan, rng = image.model.plan, np.random.default_rng(1)
    largest = ModelSpec(
        loops=limits.passes // 2,
        hidden=limits.hidden,
        vocab=limits.vocab,
        window=limits.window,
        eos=None,
    )
    model = random_model(rng, largest, plan)
    driver.load(model)
    driver.exercise(model, limits.window + 20)
    for data in _bad_images(Image.from_model(_smallest(rng, plan)).data):
        driver.load_image(data)
        driver.ask(message(Op.RESET))
    driver.load_image(image.data)
    link_faults.lost_answers(driver)
    link_faults.bad_frames_while_full(driver)
    driver.exercise(image.model, 40)


def _bad_images(data: bytes) -> Iterator[bytes]:
    """Images with one wrong word, with a wrong CRC, and with one byte too many."""
    for word in BAD_WORDS:
        yield _changed(data, word, 0x7FFF)
    yield data[:-1] + bytes([data[-1] ^ 0x80])
    yield data + b"\0"


def _changed(data: bytes, word: int, value: int) -> bytes:
    """The image with one word replaced and a matching CRC."""
    bad = bytearray(data[:-4])
    bad[2 * word : 2 * word + 2] = (value % 65536).to_bytes(2, "little")
    return bytes(bad) + zlib.crc32(bad).to_bytes(4, "little")


def _smallest(rng: np.random.Generator, plan: NumberPlan) -> QuantizedModel:
    spec = ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None)
    return random_model(rng, spec, plan)


STIMULI = (
    short_stimulus,
    shapes_stimulus,
    luts_stimulus,
    near_ties_stimulus,
    link_faults_stimulus,
    long_stimulus,
)
"""All stimuli; the first loads no model other than the chip's own."""
