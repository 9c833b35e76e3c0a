# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.golden import GOLDEN_LANES, GOLDEN_TOKENS, golden_crc, golden_crcs
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.wire.messages import generate, message
from glintfpga.firmware.wire.protocol import Op, SelfTest, Status
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.logit_crc import logit_crc
from support.models import random_image


@pytest.fixture(scope="module")
def image():
    spec = ModelSpec(loops=2, hidden=4, vocab=20, window=9, eos=None)
    return random_image(spec)


@pytest.fixture
def wrong(image):
    """The same model with a golden value for four lanes that it does not reach."""
    golden = list(image.golden)
    golden[GOLDEN_LANES.index(4)] ^= 1
    return Image.with_golden(image.model, tuple(golden))


def load(data):
    return reference_model(data, DeviceConfig())


def test_values_are_those_of_the_reference(image):
    for lanes, value in zip(GOLDEN_LANES, image.golden, strict=True):
        rows = ReferenceModel(image.model, lanes=lanes).score([0, 1] * (GOLDEN_TOKENS // 2))
        assert value == logit_crc(rows[-1])
    assert image.golden == golden_crcs(image.model)


@pytest.mark.quick
def test_a_changed_weight_changes_them(image):
    first = image.model.passes[0]
    passes = (replace(first, wv=first.wv ^ 64), *image.model.passes[1:])
    other = golden_crcs(replace(image.model, passes=passes))
    assert not set(other) & set(image.golden)


def test_they_stand_in_the_header_and_are_read_back(image, wrong):
    words = np.frombuffer(image.data, "<u4", count=3, offset=36)
    assert tuple(words.tolist()) == image.golden
    read = Image.from_bytes(wrong.data)
    assert read.golden == wrong.golden != image.golden and read.model == image.model


def test_a_reference_device_computes_it_at_power_up(make_bench, image, wrong):
    bench = make_bench(model=load(image.data))
    info = bench.hello()
    assert (info.self_test, info.flags) == (SelfTest.PASSED, 3)
    fresh = ReferenceModel(image.model, lanes=4)
    fresh.enter(0)
    expected = int(fresh.logits()[0].argmax())
    assert bench.ask(generate(1))[0][Op.TOKENS] == bytes([expected])

    bench = make_bench(model=load(wrong.data))
    info = bench.hello()
    assert (info.self_test, info.flags, info.image_crc) == (SelfTest.TOKEN_FAILED, 0, 0)
    assert bench.ask(generate(1))[1].status == Status.NO_MODEL
    assert bench.ask(message(Op.COUNTERS))[1].status == Status.OK


def test_a_reference_device_computes_it_after_a_load(make_bench, image, wrong):
    bench = make_bench(load=load)
    ok = Status.OK
    for data, told, result in (
        (wrong.data, [ok, ok, Status.SELF_TEST], SelfTest.TOKEN_FAILED),
        (image.data, [ok, ok, ok], SelfTest.PASSED),
        (b"bad", [ok, Status.BAD_IMAGE, Status.NO_LOAD], SelfTest.NO_MODEL),
    ):
        assert bench.load(data) == told
        info = bench.hello()
        assert (info.self_test, bool(info.flags)) == (result, told[-1] == ok)


def test_a_model_without_a_golden_value_is_not_tested(bench):
    assert bench.hello().self_test == SelfTest.NOT_RUN


def test_the_context_is_that_of_every_vocabulary():
    seen = []
    golden_crc(seen.append, lambda: np.zeros(2, np.int64))
    assert seen == [0, 1, 0, 1, 0, 1, 0, 1]
