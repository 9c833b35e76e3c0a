# SPDX-License-Identifier: MIT
import pytest

from glintfpga.host.device.verify import verify


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr("glintfpga.host.device.verify.PART", 60)


@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_an_exact_device(new_world, image, lanes):
    seen = []
    result = verify(new_world(image, lanes).client(), image, 200, progress=seen.append)
    assert (result.tokens, result.mismatches, result.first) == (200, 0, None)
    assert 150 < result.crcs <= 200
    assert seen[-1] == 200


def disturb(world, step):
    """Makes the device's n-th logits one unit wrong, in one id."""
    numerics = world.device._executor.model.numerics
    right = numerics.logits
    count = iter(range(10**9))

    def wrong():
        logits = right().copy()
        logits[7] += next(count) == step
        return logits

    numerics.logits = wrong


@pytest.mark.parametrize("step", [0, 57, 59, 60, 99])
def test_one_wrong_logit_of_a_given_token(world, image, step):
    client = world.client()
    disturb(world, step)
    result = verify(client, image, 200)
    assert result.mismatches == 1
    assert result.first.position == step
    assert result.first.expected[0] == result.first.got[0]
    assert result.first.expected[1] != result.first.got[1]
    assert not result.first.generated


@pytest.mark.quick
@pytest.mark.parametrize("step", [100, 171])
def test_one_wrong_logit_of_a_sampled_token(world, image, step):
    client = world.client()
    disturb(world, step)
    result = verify(client, image, 200)
    assert result.first.position == step
    assert result.first.generated


def test_answers_that_end_at_once(new_world, new_image):
    image = new_image(vocab=2, eos=0)
    result = verify(new_world(image).client(), image, 100)
    assert (result.tokens, result.mismatches) == (100, 0)
    assert result.crcs < 100
