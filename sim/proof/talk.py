# SPDX-License-Identifier: MIT
"""One end of a conversation that is recorded."""

import random

from glintfpga.firmware.image import Image
from glintfpga.firmware.messages import generate, message, prompt, score
from glintfpga.firmware.protocol import BAUDS, FALLBACK_ERRORS, MAX_TEMPERATURE, Op
from glintfpga.quant.model import QuantizedModel
from glintfpga.sim.exchange import Exchange, SimHost
from glintfpga.sim.port import SimPort
from glintfpga.sim.proof.lanes import LaneSim

__all__ = ["Talk"]

TEMPERATURE = 205
"""0.8 as T * 256."""
PATIENT_TURNS = 3
"""Turns of the link, 2 ms each, after which a running answer is aborted."""
LOST_S = 0.06
"""How long answers are lost: the device sends them again after 50 ms each."""
COUNTERS_OF_A_RING = 40
"""Answers to COUNTERS that are more than the ring holds."""
FULL_S = 0.01
"""After that long the ring is full."""
DAMAGED = 14
"""Frames: more than are counted in three bits."""
PAUSE_S = 0.001
"""Rest of the line after a break, so that the next byte is seen as one."""


class Talk:
    """A host at the line of a chip that waits for its first byte."""

    def __init__(self, sim: LaneSim):
        self.sim = sim
        self.port = SimPort(sim)  # type: ignore[arg-type]
        self.numbers = random.Random(1)
        self.nonce = 1
        self.host = SimHost(self.port)
        self.host.ask()
        self.host.set_baud(len(BAUDS) - 1)

    def ask(self, *messages: bytes) -> None:
        """Message after message, each with its answer."""
        for one in messages:
            self.host.ask(one)

    def ask_later(self, *messages: bytes) -> None:
        """Messages that the next `ask` sends first."""
        self.host.talk.ask(*messages)

    def load(self, model: QuantizedModel) -> None:
        self.ask(message(Op.LOAD, Image.from_model(model).data))

    def abort(self) -> None:
        """End an answer of more tokens than anybody waits for."""
        count, temperature = self.numbers.getrandbits(32), self.numbers.randrange(1024)
        self.host.talk.ask(generate(count, temperature=temperature))
        self.wait(1)
        self.ask(message(Op.ABORT))

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
        self.rest(PAUSE_S)
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

    def damage(self) -> None:
        """Frames with wrong CRCs, while the counters wait for room to be reported."""
        self.host.talk.ask(*[message(Op.COUNTERS)] * COUNTERS_OF_A_RING)
        self.port.write(self.host.talk.step(b"", self.port.clock()))
        self.rest(FULL_S)
        for _ in range(DAMAGED):
            self.port.write(bytes(self.numbers.randrange(1, 256) for _ in range(12)) + b"\0")
        self.rest(FULL_S)
        self.ask(message(Op.COUNTERS))

    def rest(self, seconds: float) -> None:
        """Hear nothing, and acknowledge nothing."""
        self.sim.run(round(seconds * self.sim.clk_hz))

    def wait(self, turns: int) -> None:
        for _ in range(turns):
            self.host._turn()

    def again(self) -> None:
        """Another session, with any nonce that tells it from the last one."""
        low = (self.nonce + self.numbers.randrange(1, 256)) % 256
        self.nonce = self.numbers.randrange(1 << 24) << 8 | low
        self.host.talk = Exchange(nonce=self.nonce, now=self.port.clock())
        self.ask(message(Op.COUNTERS))
