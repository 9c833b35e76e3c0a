# SPDX-License-Identifier: MIT
"""Conversations for `glintfpga.sim.proof.campaign` to record, which use as much of a chip as can
be asked for through its line:

short_talk    the model in the chip, after a silence in which the self-test runs
shapes_talk   small models of many shapes with random numbers, to reach all entries of the tables
long_talk     bad images, the largest model and the first one again; a bad line, lost answers
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from glintfpga.firmware.image import Image
from glintfpga.firmware.messages import generate, message, prompt, score
from glintfpga.firmware.protocol import BAUDS, FALLBACK_ERRORS, MAX_TEMPERATURE, Op
from glintfpga.quant.model import QuantizedModel
from glintfpga.quant.random_model import random_model
from glintfpga.quant.spec import ModelSpec
from glintfpga.sim.exchange import Exchange, SimHost
from glintfpga.sim.port import SimPort
from glintfpga.sim.proof.lanes import LaneSim

__all__ = ["long_talk", "shapes_talk", "short_talk"]

TEMPERATURE = 205
"""0.8 as T * 256."""
PATIENT_TURNS = 3
"""Turns of the link, 2 ms each, after which a running answer is aborted."""
SELF_TEST_S = 0.001
"""Silence at first: the self-test takes some tenths of a millisecond."""
LOST_S = 0.06
"""How long answers are lost: the device sends them again after 50 ms each."""
SMALL = 64
"""What the numbers of a model with small ones are divided by."""
PAUSE_S = 0.001
"""Rest of the line after a break, so that the next byte is seen as one."""
SHAPES = (
    ModelSpec(loops=8, hidden=16, vocab=48, window=8, eos=None),
    ModelSpec(loops=2, hidden=9, vocab=300, window=1, prelude=1, coda=1, eos=7),
    ModelSpec(loops=16, hidden=12, vocab=33, window=5, eos=None),
    ModelSpec(loops=1, hidden=1, vocab=4, window=3, eos=None),
)
PROBES = 700
"""Tokens that a model of 16 passes is scored by, 33 lookups of each table a token."""
NOISE_TOKENS = 12_000
"""Tokens of the smallest vocabulary, two to four entries of the noise tables a token."""
BAD_WORDS = (8, 12, 14, 50, 57)
"""16-bit words of an image, each of them wrong in one image."""


def short_talk(sim: LaneSim, image: Image, *, tokens: int = 48) -> None:
    """Hello, a prompt, tokens sampled with noise and without, scores, refusals, counters.

    At last the chip's own model is loaded: that tells which bytes of its memories it fills.
    """
    talk = _Talk(sim, silence_s=SELF_TEST_S)
    talk.about(image.model, tokens)
    talk.ask(message(Op.LOAD, image.data))


def shapes_talk(sim: LaneSim, image: Image, *, tokens: int = 160) -> None:
    """Models of the `SHAPES` with numbers from the whole of every format.

    The one of 16 passes has small numbers in x, so that the last bits of all tables count. With
    four tokens of much the same probability, noise alone decides which comes.
    """
    talk = _Talk(sim)
    numbers, plan = np.random.default_rng(2), image.model.plan
    for number, spec in enumerate(SHAPES):
        model = random_model(numbers, spec, plan, edges=0.2 * (number % 2))
        if spec.loops == talk.host.info.max_passes:
            model = _with_small_x(model)
        talk.load(replace(model, thinking=(number + 1) % 3 if spec.loops < 8 else 0))
        talk.about(model, tokens)
        if spec.loops == talk.host.info.max_passes:
            talk.ask(score(talk.some(spec.vocab, PROBES), spec.vocab))
        talk.host.set_baud(1 + number % (len(BAUDS) - 1))
        talk.ask(message(Op.COUNTERS))
        talk.host.set_baud(len(BAUDS) - 1)
    talk.ask(generate(NOISE_TOKENS, temperature=MAX_TEMPERATURE, seed=3))


def long_talk(sim: LaneSim, image: Image, *, tokens: int = 200) -> None:
    """Much text; noise, aborts, lost answers; bad images; the largest model; the first one."""
    talk = _Talk(sim)
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
    talk.about(image.model, 40)


def _with_small_x(model: QuantizedModel) -> QuantizedModel:
    """The same with embeddings and sums so small that a step of x turns h."""
    passes = tuple(
        replace(
            one,
            loop_embedding=one.loop_embedding // SMALL,
            shift_down=max(one.shift_down, model.plan.max_sum_shift - 2),
        )
        for one in model.passes
    )
    return replace(model, embed_in=model.embed_in // SMALL, passes=passes)


def _bad_images(data: bytes) -> Iterator[bytes]:
    """Images with one word wrong, a wrong CRC, and a byte too many."""
    for word in BAD_WORDS:
        bad = bytearray(data[:-4])
        bad[2 * word : 2 * word + 2] = b"\xff\x7f"
        yield bytes(bad) + zlib.crc32(bad).to_bytes(4, "little")
    yield data[:-1] + bytes([data[-1] ^ 0x80])
    yield data + b"\0"


class _Talk:
    def __init__(self, sim: LaneSim, *, silence_s: float = 0.0):
        self.sim = sim
        self.port = SimPort(sim)  # type: ignore[arg-type]
        self.numbers = random.Random(1)
        self.nonce = 1
        if silence_s:
            sim.run(round(silence_s * sim.clk_hz))
        self.host = SimHost(self.port)
        self.host.ask()
        self.host.set_baud(len(BAUDS) - 1)

    def ask(self, *messages: bytes) -> None:
        for one in messages:
            self.host.ask(one)

    def load(self, model: QuantizedModel) -> None:
        self.ask(message(Op.LOAD, Image.from_model(model).data))

    def some(self, vocab: int, count: int) -> list[int]:
        limit = vocab if vocab > 257 else min(vocab, 256)
        return [self.numbers.randrange(limit) for _ in range(count)]

    def about(self, model: QuantizedModel, tokens: int) -> None:
        """Everything that a model can be asked for."""
        vocab = model.vocab
        self.ask(
            message(Op.RESET),
            prompt(self.some(vocab, 16), vocab),
            generate(tokens // 4, temperature=TEMPERATURE, seed=0x0123456789ABCDEF, crc=True),
            score(self.some(vocab, tokens // 2), vocab),
            score(self.some(vocab, 1), vocab, logits=True),
            generate(tokens // 8, temperature=MAX_TEMPERATURE, seed=(1 << 64) - 2, crc=True),
            generate(tokens // 8, temperature=16),
            message(Op.RESET),
            generate(tokens // 8, crc=True, blank_line=True),
            message(Op.COUNTERS),
            message(Op.GENERATE, b"short"),
            message(Op.SCORE, b"\x80" + b"a"),
            message(Op.SET_BAUD, b"\x77"),
            message(Op.SET_BAUD, bytes([len(BAUDS)])),
            bytes([9, 0, 0]),
            message(Op.PROMPT, b"\xff" * 3),
            message(Op.ABORT),
        )

    def disturb(self) -> None:
        """Noise, an answer that is aborted, sessions within an answer, errors of the line."""
        self.port.write(bytes(self.numbers.randrange(256) for _ in range(300)) + b"\0")
        self.ask(message(Op.COUNTERS))
        self.host.talk.ask(generate(2000, temperature=TEMPERATURE, seed=7, crc=True))
        self.wait(PATIENT_TURNS)
        self.ask(message(Op.ABORT))
        self.host.talk.ask(generate(2000, temperature=TEMPERATURE, crc=True))
        self.wait(PATIENT_TURNS)
        self.again()
        self.port.set_baud(BAUDS[-1] // 2)
        self.port.write(bytes(FALLBACK_ERRORS + 2))
        self.port.set_baud(BAUDS[0])
        self.sim.run(round(PAUSE_S * self.sim.clk_hz))
        self.again()
        self.host.set_baud(len(BAUDS) - 1)

    def lose_answers(self) -> None:
        """Ask for more than fits the ring, and hear nothing of it for a while."""
        self.host.talk.ask(generate(700, crc=True))
        self.wait(1)
        end = self.port.clock() + LOST_S
        while (left := end - self.port.clock()) > 0:
            self.port.read(4096, left)
        self.ask(message(Op.COUNTERS))

    def wait(self, turns: int) -> None:
        for _ in range(turns):
            self.host._turn()

    def again(self) -> None:
        """Another session."""
        self.nonce += 1
        self.host.talk = Exchange(nonce=self.nonce, now=self.port.clock())
        self.ask(message(Op.COUNTERS))
