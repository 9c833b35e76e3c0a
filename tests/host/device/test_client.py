# SPDX-License-Identifier: MIT
from functools import partial

import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.firmware.wire.messages import load
from glintfpga.firmware.wire.protocol import Reason, SelfTest
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.errors import DeviceError, InputError
from glintfpga.quant.numbers.logit_crc import logit_crc


def ids(answer):
    return [token.id for token in answer]


def test_load_tells_how_far_it_is(world, new_image):
    image = new_image(hidden=16, loops=16)
    seen = []
    world.client().load(image.data, progress=seen.append)
    assert seen == sorted(seen)
    assert len(set(seen)) >= 3
    assert len(image.data) / 2 < seen[-1] <= len(image.data)


def test_a_failed_self_test_is_said_in_one_line(world, image):
    client = world.client()
    wrong = Image.with_golden(image.model, tuple(value ^ 1 for value in image.golden))
    with pytest.raises(DeviceError, match="refused load: the model failed its self-test; load it"):
        client.load(wrong.data)
    assert client.connect().self_test == SelfTest.TOKEN_FAILED
    for attempt in (lambda: client.prompt(b"a"), lambda: client.generate(1)):
        with pytest.raises(DeviceError, match="failed its self-test: it computes other logits"):
            attempt()
    assert client.counters().tokens == 0
    client.load(image.data)
    assert client.info.self_test == SelfTest.PASSED
    client.prompt(b"a")


def test_greedy_tokens_and_crcs_are_those_of_the_reference(world, image):
    client = world.client()
    client.prompt(b"The")
    reference = ReferenceModel(image.model, lanes=4)
    for byte in b"The":
        reference.enter(byte)
    logits = reference.logits()[0]
    for token in client.generate(20, crcs=True):
        assert (token.id, token.crc) == (int(logits.argmax()), logit_crc(logits))
        logits = reference.step(token.id)[0]


def test_scores_and_logits(world, image):
    client = world.client()
    text = b"to be or not"
    expected = ReferenceModel(image.model, lanes=4).score(list(text))
    scores = client.score(text, logits=True)
    assert [score.logits for score in scores] == [tuple(row) for row in expected.tolist()]
    client.reset()
    assert [score.crc for score in client.score(text)] == [logit_crc(row) for row in expected]


def test_answer_says_why_it_ended(world):
    client = world.client()
    answer = client.generate(3)
    assert answer.reason is None
    assert len(ids(answer)) == 3
    assert (answer.reason, answer.count) == (Reason.COUNT, 3)


def test_seed_repeats_and_noise_goes_on(world):
    client = world.client()
    whole = ids(client.generate(40, temperature=1.5, seed=9))
    client.reset()
    first = ids(client.generate(10, temperature=1.5, seed=9))
    second = ids(client.generate(30, temperature=1.5))
    if len(whole) == 40:
        assert first + second == whole


def test_abort_ends_early_and_the_context_is_what_came(world):
    client = world.client()
    client.prompt(b"a")
    answer = client.generate(100_000)
    first = [next(answer).id for _ in range(5)]
    answer.abort()
    rest = ids(answer)
    assert answer.reason is Reason.ABORT
    assert answer.count == 5 + len(rest) < 100_000
    more = ids(client.generate(5))
    client.reset()
    client.prompt(b"a")
    assert ids(client.generate(answer.count + 5)) == first + rest + more


def test_next_command_ends_a_running_answer(world):
    client = world.client()
    answer = client.generate(100_000)
    next(answer)
    client.reset()
    assert answer.reason is Reason.ABORT


@pytest.mark.quick
def test_long_prompts_are_split(world, monkeypatch):
    monkeypatch.setattr("glintfpga.host.device.client.MAX_MESSAGE", 101)
    client = world.client()
    client.prompt(b"x" * 250)
    assert client.counters().prefill_tokens == 250
    assert len(client.score(b"y" * 250)) == 250


def test_two_byte_tokens(new_world, new_image):
    client = new_world(new_image(vocab=300, eos=None)).client()
    client.prompt([299, 0, 256])
    assert len(ids(client.generate(10, crcs=True))) == 10


def test_tokens_outside_the_vocabulary(world):
    with pytest.raises(InputError, match="token 256 cannot be sent"):
        world.client().prompt([256])


def test_load_replaces_the_model(world, new_image):
    client = world.client()
    client.fastest()
    other = new_image(seed=2, vocab=64, eos=None)
    client.load(other.data)
    assert client.model_id == other.model_id
    assert client.vocab == 64
    assert client.link.baud == 3_000_000
    client.prompt([1, 2, 3])


def test_damaged_image_leaves_no_model(world, image):
    client = world.client()
    data = bytearray(image.data)
    data[200] ^= 1
    with pytest.raises(DeviceError, match="refused load: the image is damaged"):
        client.load(bytes(data))
    client.connect()
    assert not client.has_model
    with pytest.raises(DeviceError, match="load one: glintfpga load PORT MODEL"):
        client.prompt(b"x")
    with pytest.raises(DeviceError, match="load one"):
        client.reset()
    client.load(image.data)
    client.prompt(b"x")


def test_arguments_are_checked(world):
    client = world.client()
    with pytest.raises(InputError, match=r"temperature must be 0\.\.4\.00, not 5"):
        client.generate(1, temperature=5.0)
    with pytest.raises(InputError, match="baud must be one of 115200"):
        client.set_baud(9600)


def test_images_of_any_size_are_sent(world):
    """In parts; whether it is an image is for the device to say."""
    client, seen = world.client(), []
    with pytest.raises(DeviceError, match="refused load: the image is damaged or does not fit"):
        client.load(bytes(140_000), progress=seen.append)
    assert seen == sorted(seen) and len(set(seen)) > 20
    assert 131_070 < seen[-1] <= 140_000


def test_a_load_in_many_parts(world, new_image, monkeypatch):
    monkeypatch.setattr("glintfpga.host.device.client.MAX_MESSAGE", 100)
    monkeypatch.setattr("glintfpga.host.device.client.load", partial(load, part=100))
    image, client, seen = new_image(seed=2), world.client(), []
    client.load(image.data, progress=seen.append)
    assert client.model_id == image.model_id
    assert seen == sorted(seen) and seen[-1] <= len(image.data)


def test_lost_in_the_middle_of_an_answer(world):
    client = world.client()
    answer = client.generate(10_000)
    next(answer)
    world.plugged = False
    with pytest.raises(LinkLost):
        ids(answer)
    world.plugged = True
    world.reset()
    client.connect()
    client.prompt(b"again")
    assert len(ids(client.generate(2))) == 2
