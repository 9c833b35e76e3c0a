# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import Done, load, take_message
from glintfpga.firmware.wire.protocol import Op
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.sampler import Sampler
from support.models import hash_model

CONFIG = DeviceConfig(build_id=b"software")


def toy_load(data):
    if data[:4] != b"good":
        raise InputError("not an image")
    return hash_model(int.from_bytes(data[4:6], "little"))


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

    def load(self, image, **cut):
        """The status of each message of a load."""
        return [self.ask(one)[1].status for one in load(image, **cut)]


def build(vocab=257, eos=256, script=(), model="toy", load=toy_load):
    model = hash_model(vocab, eos, script) if model == "toy" else model
    device = SoftwareDevice(model=model, load=load, sampler=Sampler(), info=CONFIG.hello())
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
