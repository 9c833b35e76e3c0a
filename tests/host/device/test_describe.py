# SPDX-License-Identifier: MIT
from dataclasses import replace
from types import SimpleNamespace

import pytest

from glintfpga.host.device.describe import device_facts, lines
from glintfpga.quant.errors import DeviceError


@pytest.fixture
def client(world):
    """What a client is to `device_facts`."""
    real = world.client()
    link = SimpleNamespace(line=SimpleNamespace(name="board"))
    return SimpleNamespace(
        info=real.info, machine=real.machine, has_model=real.has_model, link=link
    )


def test_a_device_and_its_model(client, image):
    facts = device_facts(client)
    assert facts["model"]["image"]["model_id"] == image.model_id
    assert facts["model"]["image"]["crc32"] == f"{image.crc:08x}"
    limits = client.machine.limits
    assert facts["limits"] == {
        "window": limits.window,
        "vocab": limits.vocab,
        "hidden": limits.hidden,
        "passes": limits.passes,
        "memory_rows": limits.rows,
    }
    text = "\n".join(lines(facts))
    assert text.startswith("board: device, 4 lanes, 12-bit numbers, ")
    assert f"{image.golden[1]:08x} with 4 lanes" in text


def test_a_self_test_of_a_later_release_and_no_clock(client):
    client.info = replace(client.info, self_test=99, clock_hz=0)
    facts = device_facts(client)
    assert (facts["self_test"], facts["clock_hz"]) == ("unknown (99)", None)
    assert "no clock" in lines(facts)[0]


def test_no_model(client):
    client.has_model = False
    client.info = replace(client.info, image_header=b"")
    assert lines(device_facts(client))[-1] == "  no model"


@pytest.mark.quick
@pytest.mark.parametrize("at", [0, 8, 15])
def test_a_header_that_is_none(client, at):
    header = bytearray(client.info.image_header)
    header[at] = 0xFF
    client.info = replace(client.info, image_header=bytes(header))
    with pytest.raises(DeviceError, match="what the device says of its model is wrong"):
        device_facts(client)
