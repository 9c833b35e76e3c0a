# SPDX-License-Identifier: MIT
import io
import logging
import math
import sys
import tempfile
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost
from glintfpga.firmware.wire.protocol import BAUDS, FALLBACK_ERRORS
from glintfpga.host.cli import run
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link
from glintfpga.quant.blink.plan import PLANS
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.sampler import Sampler
from support.models import HashNumerics, random_image
from support.virtual_uart import resampled

TICK_S = 0.0005


def make_image(seed=47, plan=12, **sizes):
    sizes = {"loops": 2, "hidden": 2, "window": 4, "vocab": 257, **sizes}
    return random_image(ModelSpec(**sizes), PLANS[plan], seed=seed, edges=0.0)


class World:
    """A board on a desk: it can be unplugged, reset, or joined by a bad cable.

    With ``hashed`` its model is one that forgets nothing.
    """

    def __init__(self, image, lanes=4, hashed=False):
        self.image = image
        self.lanes = lanes
        self.hashed = hashed
        self.now = 0.0
        self.plugged = True
        self.line_baud = BAUDS[0]
        self.divider = 1
        self.bad_rates = ()
        self.fastest = math.inf
        self.framing_errors = 0
        self.damage = lambda data, arriving: data
        self.on_read = lambda arrived: None
        self.reset()

    def reset(self):
        self.device = SoftwareDevice(
            model=self.load(self.image.data) if self.image else None,
            load=self.load,
            sampler=Sampler(),
            info=DeviceConfig(lanes=self.lanes).hello(),
        )

    def load(self, data):
        model = reference_model(data, DeviceConfig(lanes=self.lanes))
        if self.hashed:
            numerics = HashNumerics(model.vocab, never=model.eos)
            model = replace(model, numerics=numerics, is_golden=None)
        return model

    def open(self):
        if not self.plugged:
            raise LinkLost("there is no port; plug the board in")
        self.line_baud = BAUDS[0]
        return Line(self)

    def client(self, **options):
        client = Client(Link(opener=self.open, **options))
        client.connect()
        return client

    def carry(self, data, arriving):
        """What is left of bytes on their way to the host (``arriving``) or to the device."""
        if self.line_baud in self.bad_rates:
            return bytes(byte ^ 0x55 for byte in data)
        host, device = self.line_baud / self.divider, BAUDS[self.device.baud_index]
        if host == device:
            self.framing_errors = 0
            return self.damage(data, arriving)
        heard, errors = resampled(data, *((device, host) if arriving else (host, device)))
        if not arriving:
            self.framing_errors += errors
            if self.framing_errors >= FALLBACK_ERRORS:
                self.framing_errors = 0
                self.device.fall_back()
        return heard


class Line(ByteLine):
    name = "board"
    rate_factors = (1, 4)

    def __init__(self, world):
        self.world = world

    def clock(self):
        return self.world.now

    def _check(self):
        if not self.world.plugged:
            raise LinkLost("port 'board' was lost; plug the board in again")

    def read(self, size, timeout):
        world = self.world
        deadline = world.now + timeout
        while True:
            self._check()
            world.now += TICK_S
            data = world.carry(world.device.poll(world.now), True)
            if data:
                world.on_read(data)
                return data
            if world.now >= deadline:
                return b""

    def write(self, data):
        self._check()
        self.world.device.feed(self.world.carry(data, False), self.world.now)

    def set_baud(self, baud):
        self._check()
        if baud > self.world.fastest:
            return False
        self.world.line_baud = baud
        return True


@pytest.fixture(autouse=True)
def no_tuned_boards(tmp_path):
    """The user's own list of tuned boards is not read."""
    with pytest.MonkeyPatch.context() as patch:  # a test's own `monkeypatch` ends before others
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        yield


@pytest.fixture(scope="session")
def image():
    return make_image()


@pytest.fixture(scope="session")
def new_image():
    return make_image


@pytest.fixture(scope="session")
def new_world():
    return World


@pytest.fixture
def world(new_world, image):
    return new_world(image)


@pytest.fixture
def glint(tmp_path, image):
    path = tmp_path / "tiny.glint"
    path.write_bytes(image.data)
    return path


@pytest.fixture
def notes(monkeypatch):
    """What is told to the user, from INFO on, in a list."""
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    log = logging.getLogger("glintfpga")
    monkeypatch.setattr(log, "handlers", [*log.handlers, handler])
    monkeypatch.setattr(log, "level", logging.INFO)
    log.manager._clear_cache()
    yield told
    log.manager._clear_cache()


@pytest.fixture
def command(monkeypatch, capfdbinary, tmp_path):
    """Runs a command line; returns exit code, stdout and stderr, without progress however slow."""
    monkeypatch.setattr("glintfpga.host.console.progress.lines_due", lambda seconds: 0)

    def go(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        logging.getLogger("glintfpga").setLevel(logging.INFO)
        code = run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return go
