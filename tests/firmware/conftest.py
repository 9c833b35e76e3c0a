# SPDX-License-Identifier: MIT
import zlib

import numpy as np
import pytest

from glintfpga.firmware.device.numerics import LoadedModel
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import Done, take_message
from glintfpga.firmware.wire.protocol import Op
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.sampler import Sampler


class ToyNumerics:
    """Logits are a hash of the context, so that any slip of the context shows."""

    def __init__(self, vocab, script=()):
        self.vocab = vocab
        self.script = list(script)
        self.context = []

    def clear(self):
        self.context = []

    def enter(self, token):
        self.context.append(token)

    def logits(self):
        rng = np.random.default_rng(zlib.crc32(repr(self.context).encode()))
        logits = rng.integers(-2048, 2048, self.vocab)
        if self.script:
            logits[self.script.pop(0)] = 1 << 19
        return logits


def toy_model(vocab=257, eos=256, script=()):
    return LoadedModel(
        numerics=ToyNumerics(vocab, script),
        vocab=vocab,
        eos=eos,
        image_header=b"GLNT".ljust(96, b"\1"),
        image_crc=0x12345678,
        golden=None,
    )


def toy_load(data):
    if data[:4] != b"good":
        raise InputError("not an image")
    return toy_model(int.from_bytes(data[4:6], "little"))


class Bench:
    """A host endpoint wired to a device, with a clock of its own."""

    def __init__(self, device):
        self.device = device
        self.host = Endpoint(Role.HOST)
        self.now = 0.0
        self.held = bytearray()
        self.nonce = 0

    def pump(self, *, steps=1, seconds=0.0005):
        self.now += seconds
        self.device.feed(self.host.poll(self.now), self.now)
        self.host.feed(self.device.poll(self.now, steps=steps), self.now)
        self.held += self.host.read()

    def until(self, condition):
        for _ in range(20000):
            if condition():
                return
            self.pump()
        raise AssertionError("nothing came of it")

    def wait(self, seconds):
        end = self.now + seconds
        self.until(lambda: self.now >= end)

    def hello(self):
        self.nonce += 1
        self.host.start_session(self.nonce, self.now)
        self.held.clear()
        self.until(lambda: self.host.open)
        return self.host.info

    def send(self, data):
        while data:
            data = data[self.host.write(data) :]
            self.pump()

    def answer(self):
        """Bodies of what came before the next DONE, by op and joined, and the DONE."""
        bodies = {}
        while True:
            self.until(lambda: (got := take_message(self.held)) and self._keep(got))
            op, body = self.got
            if op == Op.DONE:
                return bodies, Done.decode(body)
            bodies[op] = bodies.get(op, b"") + body

    def _keep(self, got):
        self.got = got
        return True

    def ask(self, data):
        self.send(data)
        return self.answer()


def build(vocab=257, eos=256, script=(), model="toy", load=toy_load):
    model = toy_model(vocab, eos, script) if model == "toy" else model
    device = SoftwareDevice(model=model, load=load, sampler=Sampler(), lanes=4)
    bench = Bench(device)
    bench.numerics = model.numerics if model else None
    bench.hello()
    return bench


@pytest.fixture(scope="session")
def make_bench():
    return build


@pytest.fixture
def bench():
    return build()


@pytest.fixture(scope="session")
def wire():
    return Bench
