# SPDX-License-Identifier: MIT
"""The host side of a recorded conversation."""

import random

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.messages import generate, load, message, prompt, score
from glintfpga.firmware.wire.protocol import BAUDS, MAX_TEMPERATURE, Op
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine

__all__ = ["HostDriver"]

TEMPERATURE = 205
"""0.8 as T * 256."""


class HostDriver:
    """A host on the line of a chip, connected and at the highest baud."""

    def __init__(self, sim: BitParallelSim):
        self.sim = sim
        self.line = SimLine(sim)  # type: ignore[arg-type]
        self.rng = random.Random(1)
        self.nonce = 1
        self.host = SimHost(self.line)
        self.host.ask()
        self.host.set_baud(len(BAUDS) - 1)

    @property
    def session(self) -> int:
        """Number of the session, as frames carry it."""
        return self.nonce % 256

    def ask(self, *messages: bytes) -> None:
        """Send messages one by one, and wait for the answer to each."""
        for one in messages:
            self.host.ask(one)

    def ask_later(self, *messages: bytes) -> None:
        """Queue messages; the next `ask` sends them first."""
        self.host.session.send(*messages)

    def load(self, model: QuantizedModel) -> None:
        self.load_image(Image.from_model(model).data)

    def load_image(self, data: bytes) -> None:
        self.ask(*load(data, part=self.rng.randrange(16, 4096)))

    def abort(self) -> None:
        """Start a long GENERATE, then ABORT it."""
        count, temperature = self.rng.getrandbits(32), self.rng.randrange(1024)
        self.host.session.send(generate(count, temperature=temperature))
        self.wait(1)
        self.ask(message(Op.ABORT))

    def random_tokens(self, vocab: int, count: int) -> list[int]:
        limit = vocab if vocab > 257 else min(vocab, 256)
        return [self.rng.randrange(limit) for _ in range(count)]

    def exercise(self, model: QuantizedModel, tokens: int) -> None:
        """Every request that a host can make, also malformed ones."""
        vocab = model.vocab
        self.ask(
            message(Op.RESET),
            prompt(self.random_tokens(vocab, 16), vocab),
            generate(tokens // 4, temperature=TEMPERATURE, seed=0x0123456789ABCDEF, crc=True),
            score(self.random_tokens(vocab, tokens // 2), vocab),
            score(self.random_tokens(vocab, 1), vocab, logits=True),
            generate(tokens // 8, temperature=MAX_TEMPERATURE, seed=(1 << 64) - 2, crc=True),
            generate(tokens // 8, temperature=16),
            message(Op.RESET),
            generate(tokens // 8, crc=True, blank_line=True),
            message(Op.COUNTERS),
            message(Op.GENERATE, b"short"),
            message(Op.SCORE, b"\x80" + b"a"),
            message(Op.SET_BAUD, b"\x77"),
            message(Op.SET_BAUD, bytes([len(BAUDS)])),
            bytes([11, 0, 0]),
            message(Op.PROMPT, b"\xff" * 3),
            message(Op.ABORT),
        )

    def rest(self, seconds: float) -> None:
        """Let time pass without reading the line or acknowledging anything."""
        self.sim.run(round(seconds * self.sim.clk_hz))

    def wait(self, turns: int) -> None:
        for _ in range(turns):
            self.host.turn()

    def new_session(self) -> None:
        """Start another session, with a random nonce unlike the last one."""
        low = (self.session + self.rng.randrange(1, 256)) % 256
        self.nonce = self.rng.randrange(1 << 24) << 8 | low
        self.host.new_session(self.nonce)
        self.ask(message(Op.COUNTERS))
