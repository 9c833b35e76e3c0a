# SPDX-License-Identifier: MIT
import re

import numpy as np
import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import DeviceError
from glintfpga.quant.numbers.logit_crc import logit_crc
from support.c_model import Follower, run_blink, tokens_per_second
from support.models import seeded_model

SHAPES = {
    "blink": ModelSpec(),
    "small": ModelSpec(loops=1, hidden=4, vocab=64, window=1, eos=None),
    "own blocks": ModelSpec(loops=2, prelude=1, coda=1, hidden=9, vocab=300, window=5, eos=2),
    "thinking": ModelSpec(loops=2, hidden=16, vocab=130, window=24, thinking=2, eos=0),
}


@pytest.fixture
def image_file(tmp_path, request):
    spec, plan, seed = request.param
    model = seeded_model(spec, plan, seed=seed)
    path = tmp_path / "model.glint"
    path.write_bytes(Image.from_model(model).data)
    return path, model


def expected(model, lanes, count, text):
    reference = ReferenceModel(model, lanes=lanes)
    for token in text or [0 if model.eos is None else model.eos]:
        reference.enter(token)
    for _ in range(count):
        logits = reference.logits()[0]
        token = int(np.argmax(logits))
        yield token, logit_crc(logits)
        reference.enter(token)


CASES = [
    (spec, plan, seed) for seed, spec in enumerate(SHAPES.values()) for plan in (PLAN12, PLAN9)
]


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("image_file", CASES, indirect=True)
def test_equals_the_reference(image_file, lanes):
    path, model = image_file
    for text in (b"", b"1 \x01?"):
        found = run_blink(path, lanes=lanes, count=60, text=text)
        assert found == list(expected(model, lanes, 60, text))


@pytest.mark.parametrize("image_file", CASES[:1], indirect=True)
def test_speed(image_file):
    assert tokens_per_second(image_file[0], lanes=4, count=1000) > 0


@pytest.mark.quick
def test_refuses(tmp_path):
    path = tmp_path / "model.glint"
    path.write_bytes(b"GLNX" + bytes(200))
    with pytest.raises(DeviceError, match=re.escape(f"not a .glint image of version 2: {path}")):
        run_blink(path, lanes=4, count=1)


@pytest.mark.parametrize("image_file", [(SHAPES["thinking"], PLAN12, 5)], indirect=True)
def test_follows(image_file):
    """Token by token and many at once; what a run of its own would say."""
    path, model = image_file
    reference = ReferenceModel(model, lanes=4)
    tokens = [0, 1, 129, 2, 0, 7] * 9
    right = []
    for token in tokens:
        reference.enter(token)
        right.append(reference.logits()[0])
    with Follower(path, lanes=4, vocab=model.vocab) as follower:
        got = [
            follower.logits(tokens[:1]),
            follower.logits(tokens[1:4]),
            follower.logits(tokens[4:]),
        ]
    assert (np.concatenate(got) == np.array(right)).all()


def test_follower_of_no_image(tmp_path):
    path = tmp_path / "model.glint"
    path.write_bytes(b"GLNT")
    with Follower(path, lanes=4, vocab=2) as follower:
        with pytest.raises(DeviceError, match="blink.c has ended"):
            follower.logits([0])
