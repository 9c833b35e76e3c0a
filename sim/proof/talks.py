# SPDX-License-Identifier: MIT
"""Conversations for `glintfpga.sim.proof.campaign` to record: a short one, and one that uses as
much of a chip as can be asked for through its line.
"""

import random
from dataclasses import replace

import numpy as np

from glintfpga.firmware.image import Image
from glintfpga.firmware.messages import generate, message, prompt, score
from glintfpga.firmware.protocol import BAUDS, Op
from glintfpga.quant.model import QuantizedModel
from glintfpga.quant.random_model import random_model
from glintfpga.quant.spec import ModelSpec
from glintfpga.sim.exchange import Exchange, SimHost
from glintfpga.sim.port import SimPort
from glintfpga.sim.proof.lanes import LaneSim

__all__ = ["long_talk", "short_talk"]

TEMPERATURE = 205
"""0.8 as T * 256."""
PATIENT_TURNS = 3
"""Turns of the link, 2 ms each, after which a running answer is aborted."""


def short_talk(sim: LaneSim, image: Image, *, tokens: int = 48) -> None:
    """Hello, a prompt, tokens sampled with noise and without, scores, refusals, counters."""
    _Talk(sim).about(image.model, tokens)


def long_talk(sim: LaneSim, image: Image, *, tokens: int = 1000) -> None:
    """The short one with more tokens; noise on the line, an abort, another session; then models
    with numbers at the ends of every format, of the largest shape and of a small one, and at last
    the first model again.
    """
    talk = _Talk(sim)
    talk.about(image.model, tokens)
    talk.disturb()
    info = talk.host.info
    largest = ModelSpec(
        loops=info.max_passes // 2,
        hidden=info.max_hidden,
        vocab=info.max_vocab,
        window=info.max_window,
        eos=None,
    )
    small = ModelSpec(loops=2, hidden=3, vocab=100, window=24, eos=None)
    plan, numbers = image.model.plan, np.random.default_rng(1)
    for spec, count in ((largest, info.max_window + 20), (small, 60)):
        model = replace(random_model(numbers, spec, plan), thinking=int(spec is small))
        talk.ask(message(Op.LOAD, Image.from_model(model).data))
        talk.about(model, count)
    talk.ask(message(Op.LOAD, image.data[:-1] + b"\xff"))
    talk.ask(message(Op.LOAD, image.data))
    talk.about(image.model, 40)


class _Talk:
    def __init__(self, sim: LaneSim):
        self.port = SimPort(sim)  # type: ignore[arg-type]
        self.host = SimHost(self.port)
        self.numbers = random.Random(1)
        self.host.ask()
        self.host.set_baud(len(BAUDS) - 1)

    def ask(self, *messages: bytes) -> None:
        for one in messages:
            self.host.ask(one)

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
            generate(tokens // 8, temperature=16 * 256, seed=(1 << 64) - 2, crc=True),
            message(Op.RESET),
            generate(tokens // 8, crc=True, blank_line=True),
            message(Op.COUNTERS),
            message(Op.GENERATE, b"short"),
            message(Op.SET_BAUD, b"\x77"),
        )

    def disturb(self) -> None:
        """Noise between frames, an answer that is aborted, a second session within an answer."""
        self.port.write(bytes(self.numbers.randrange(256) for _ in range(300)) + b"\0")
        self.ask(message(Op.COUNTERS))
        self.host.talk.ask(generate(2000, temperature=TEMPERATURE, seed=7, crc=True))
        for _ in range(PATIENT_TURNS):
            self.host._turn()
        self.ask(message(Op.ABORT))
        self.host.talk.ask(generate(2000, temperature=TEMPERATURE, crc=True))
        for _ in range(PATIENT_TURNS):
            self.host._turn()
        self.host.talk = Exchange(nonce=2, now=self.port.clock())
        self.ask(message(Op.COUNTERS))
