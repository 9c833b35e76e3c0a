# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag, SelfTest
from glintfpga.host.device.families import (
    check_info,
    is_for_chat,
    machine_of,
    model_id_of,
    vocab_of,
)
from glintfpga.quant.blink.limits import LIMITS
from glintfpga.quant.blink.plan import PLAN9
from glintfpga.quant.errors import DeviceError

FACTS = RowFacts(lanes=8, plan=PLAN9, limits=replace(LIMITS, vocab=300))


@pytest.fixture
def info(image):
    return FACTS.hello(flags=HelloFlag.MODEL, image_crc=image.crc, image_header=image.header)


def with_vocab(header, vocab):
    return header[:16] + vocab.to_bytes(2, "little") + header[18:]


def test_a_machine_and_a_model_of_this_release(info, image):
    check_info(info, "COM5")
    assert machine_of(info) == FACTS
    header = info.image_header
    assert (vocab_of(header), is_for_chat(header)) == (257, False)
    assert model_id_of(header) == image.model_id


def test_a_model_for_chat(new_image):
    assert is_for_chat(new_image(chat=True).header)


def test_without_a_model_no_header_is_due():
    check_info(FACTS.hello(), "COM5")


@pytest.mark.parametrize("field", ["self_test", "baud_index"])
def test_the_last_value_that_is_known(info, field):
    most = {"self_test": max(SelfTest), "baud_index": len(BAUDS) - 1}[field]
    check_info(replace(info, **{field: most}), "COM5")
    with pytest.raises(DeviceError, match=f"says {most + 1} for its "):
        check_info(replace(info, **{field: most + 1}), "COM5")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"machine": 2}, "machine 2 for models of family 1"),
        ({"family": 7}, "machine 1 for models of family 7"),
        ({"machine_facts": b"\3\x0c"}, "3 for its lanes"),
        ({"machine_facts": b"\4\0"}, "0 for its plan"),
        ({"machine_facts": b""}, "0 bytes for its machine, 8 for limits"),
        ({"limits": b"\1"}, "2 bytes for its machine, 1 for limits"),
        ({"self_test": 99}, "99 for its self-test"),
        ({"baud_index": 5}, "5 for its rate"),
    ],
)
def test_what_no_device_of_this_release_reports(info, wrong, words):
    with pytest.raises(DeviceError) as caught:
        check_info(replace(info, **wrong), "COM5")
    assert str(caught.value) == (
        f"the device at 'COM5' says {words}; flash the bitstream of this release: glintfpga flash"
    )


@pytest.mark.parametrize("size", [0, 1, 17, 95, 97, 200])
def test_a_header_of_another_size(info, size):
    header = (info.image_header * 3)[:size]
    with pytest.raises(DeviceError, match=f"says {size} for its image's header; flash"):
        check_info(replace(info, image_header=header), "COM5")


@pytest.mark.parametrize("vocab", [0, 1, 301, 65535])
def test_a_vocabulary_that_it_has_no_room_for(info, vocab):
    header = with_vocab(info.image_header, vocab)
    with pytest.raises(DeviceError, match=f"says {vocab} for its vocabulary; flash"):
        check_info(replace(info, image_header=header), "COM5")


@pytest.mark.parametrize("vocab", [2, 300])
def test_vocabularies_that_it_has_room_for(info, vocab):
    check_info(replace(info, image_header=with_vocab(info.image_header, vocab)), "COM5")
