# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.host.device.connect import has_image, load
from glintfpga.quant.blink.limits import LIMITS
from glintfpga.quant.errors import InputError


def test_a_device_holds_what_was_loaded(world, new_image):
    client, other = world.client(), new_image(seed=2, vocab=64, eos=None)
    assert has_image(client, world.image) and not has_image(client, other)
    load(client, other)
    assert has_image(client, other)


@pytest.mark.quick
def test_the_limits_are_those_of_its_hello(world, image):
    """A smaller machine than those so far: nothing is sent to it that it cannot hold."""
    spec = image.model.spec
    world.device._info = RowFacts(limits=replace(LIMITS, window=spec.window - 1)).hello()
    client = world.client()
    with pytest.raises(InputError, match=f"window.*{spec.window - 1}"):
        load(client, image)
    assert client.connect().image_header == image.header
    world.device._info = RowFacts(limits=replace(LIMITS, window=spec.window)).hello()
    client.connect()
    load(client, image)
