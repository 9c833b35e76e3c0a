# SPDX-License-Identifier: MIT
"""The model in C against the reference and its sampler, as a device uses them."""

import pytest

from glintfpga.firmware.blink.c_model import CompiledModel, compile_blink
from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, InputError
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler
from support.models import seeded_model

SHAPES = [
    (ModelSpec(), PLAN12, 1),
    (ModelSpec(loops=1, hidden=4, vocab=64, window=1, eos=None), PLAN9, 2),
    (ModelSpec(loops=2, prelude=1, hidden=9, vocab=300, window=5, eos=2), PLAN12, 3),
    (ModelSpec(loops=2, hidden=16, vocab=130, window=24, thinking=2, eos=0), PLAN9, 4),
]


class Expected:
    """What a device answers, by the reference and the sampler."""

    def __init__(self, model, lanes):
        self.model = ReferenceModel(model, lanes=lanes)
        self.eos = model.eos or 0
        self.sampler = Sampler()
        self.reset()

    def reset(self):
        self.model.reset()
        self.pending, self.empty = None, True

    def _flush(self):
        if self.pending is not None:
            self.model.enter(self.pending)
        self.pending = None

    def score(self, tokens):
        for token in tokens:
            self._flush()
            self.model.enter(token)
            self.empty = False
            yield logit_crc(self.model.logits()[0])

    def sample(self, count, temperature):
        for _ in range(count):
            self._flush()
            if self.empty:
                self.model.enter(self.eos)
            self.empty = False
            logits = self.model.logits()[0]
            self.pending = self.sampler.sample(logits, temperature)
            yield self.pending, logit_crc(logits)


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("lanes", [2, 8])
def test_equals_a_device(shape, lanes):
    spec, plan, seed = shape
    model = seeded_model(spec, plan, seed=seed)
    expected = Expected(model, lanes)
    with CompiledModel(Image.from_model(model), lanes=lanes) as compiled:
        for seed in (0, 1, 2**64 - 3):
            compiled.seed(seed)
            expected.sampler.reseed(seed)
            assert compiled.sample(30, 205) == list(expected.sample(30, 205))
            assert compiled.score([1, 5, 63]) == list(expected.score([1, 5, 63]))
            assert compiled.sample(5, 0) == list(expected.sample(5, 0))
            assert compiled.sample(9, 1023) == list(expected.sample(9, 1023))
            compiled.reset()
            expected.reset()


@pytest.mark.quick
def test_noise_decides():
    """A temperature of almost 4 and 512 ids: 60,000 words of noise."""
    spec = ModelSpec(loops=1, hidden=1, vocab=512, window=1, eos=None)
    model = seeded_model(spec, PLAN12, seed=1)
    expected = Expected(model, 4)
    with CompiledModel(Image.from_model(model), lanes=4) as compiled:
        compiled.seed(7)
        expected.sampler.reseed(7)
        found = compiled.sample(120, 1023)
        assert found == list(expected.sample(120, 1023))
        assert len({token for token, _ in found}) > 30


def test_a_process_that_has_ended():
    image = Image.from_model(seeded_model(ModelSpec(), PLAN12, seed=1))
    compiled = CompiledModel(image, lanes=4)
    compiled.close()
    with pytest.raises((DeviceError, ValueError)):
        compiled.reset()


def test_too_large_a_model(monkeypatch):
    image = Image.from_model(seeded_model(ModelSpec(), PLAN12, seed=1))
    monkeypatch.setattr("glintfpga.firmware.blink.c_model.check_fits", _refuse)
    with pytest.raises(InputError, match="too large"):
        CompiledModel(image, lanes=4)


def _refuse(spec):
    raise InputError("too large")


def test_without_a_compiler(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="no C compiler"):
        compile_blink()
