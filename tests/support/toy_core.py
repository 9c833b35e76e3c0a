# SPDX-License-Identifier: MIT
"""A core in Python on the ports of a `Service`: hashes for logits, and the host's sampler."""

import random
from typing import Any

import numpy as np

from glintfpga.firmware.blink.golden import GOLDEN_LANES, GOLDEN_TOKENS
from glintfpga.firmware.blink.image_format import Section
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.protocol import HelloFlag
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler
from support.models import HashNumerics, random_image

__all__ = ["GOLDEN", "POWER_UP", "START", "STORED", "ToyCore"]

START = random_image(
    ModelSpec(loops=1, lora_targets=("q",), hidden=1, vocab=5, window=1, eos=None), seed=0
)
"""What the self-test finds in the memories of a `ToyCore`, whatever its numerics are."""
STORED = {
    (section, index): pack_row(row, 16)
    for section in Section
    for index, row in enumerate(START.sections[section])
}
POWER_UP = RowFacts().hello(
    flags=HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE,
    image_crc=START.crc,
    image_header=START.header,
)
GOLDEN = START.golden[GOLDEN_LANES.index(4)]


class _Driver:
    """Drives ports, each only when its value changes: every assignment costs the simulator."""

    def __init__(self, ctx):
        self._ctx = ctx
        self._driven: dict[int, tuple[Any, Any]] = {}

    def drive(self, port, value):
        kept, last = self._driven.get(id(port), (None, None))
        if kept is not port or last != value:
            self._driven[id(port)] = port, value
            self._ctx.set(port, value)


class ToyCore:
    """The core's ports, driven from Python with the numerics and the sampler of the oracle.

    The first operations, and those after an image, are the self-test's and are answered with
    ``golden``.
    """

    def __init__(
        self,
        *,
        vocab=257,
        eos=256,
        script=(),
        cycles=20,
        seed=0,
        golden=GOLDEN,
        stored=STORED,
    ):
        self.golden, self.stored = golden, stored
        self.tested = 0
        self.numerics = HashNumerics(vocab, script=script)
        self.sampler = Sampler()
        self.vocab, self.eos = vocab, eos
        self.cycles = cycles
        self.rng = random.Random(seed)
        self.rows = []

    async def run(self, ctx, core, load):
        """Drive the ports of a core, and the load port as the memories behind it do."""
        drive = _Driver(ctx).drive
        busy, logits = 0, np.zeros(1, np.int64)
        result: Any = None
        ticks = aiter(
            ctx.tick().sample(
                core.i.valid & core.i.ready,
                core.i.payload,
                core.o.valid & core.o.ready,
                core.clear,
                core.seed.valid & core.seed.ready,
                core.seed.payload,
                core.temperature,
                core.logits.id,
                load.valid,
                load.target,
                load.index,
                load.data,
            )
        )
        while True:
            drive(core.facts.vocab, self.vocab)
            drive(core.facts.eos, 0xFFFF if self.eos is None else self.eos)
            shown = busy == 0 and result is not None
            drive(core.o.valid, shown)
            if shown:
                drive(core.o.payload, {"id": result[0], "crc": result[1]})
            drive(core.idle, busy == 0 and not shown)
            ready = busy == 0 and (not shown or ctx.get(core.o.ready))
            drive(core.i.ready, ready)
            drive(core.seed.ready, self.rng.random() < 0.1)
            sampled = await anext(ticks)
            _, _, asked, op, taken, clear, seeded, seed, temperature, at, *row = sampled
            drive(load.stored, self.stored.get((row[1], row[2]), 0))
            drive(core.logits.value, int(logits[at]) if at < len(logits) else 0)
            if row[0]:
                self.rows.append(tuple(row[1:]))
                self.tested = 0
            busy = max(0, busy - 1)
            if taken:
                result = None
            if seeded:
                self.sampler.reseed(seed)
            if clear:
                assert not busy and result is None
                self.numerics.clear()
            if asked:
                if self.tested < GOLDEN_TOKENS:
                    busy = self.rng.randrange(1, 20)
                    assert (op.id, op.enter, op.sample) == (self.tested & 1, 1, 0)
                    self.tested += 1
                    assert op.logits == (self.tested == GOLDEN_TOKENS)
                    if op.logits:
                        result = 0, self.golden
                    continue
                busy = self.rng.randrange(1, 2 * self.cycles)
                if op.enter:
                    self.numerics.enter(op.id)
                if op.logits:
                    logits = self.numerics.logits()
                    token = self.sampler.sample(logits, temperature if op.sample else 0)
                    result = token, logit_crc(logits)
