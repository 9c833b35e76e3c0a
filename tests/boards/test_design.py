# SPDX-License-Identifier: MIT
import itertools

import numpy as np
import pytest

from glintfpga.boards import design as module
from glintfpga.boards.build import BuildOptions, build
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import device_design
from glintfpga.boards.gowin.bram_signatures import split
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.hdl.hello_layout import image_at
from glintfpga.hdl.row.machine import power_up_info
from glintfpga.quant.blink.limits import LANES
from glintfpga.quant.blink.plan import PLAN9, PLANS
from glintfpga.quant.blink.spec import PRESETS
from glintfpga.quant.errors import InputError
from support.models import random_image

BOARD = board_of("tangnano20k")
HEADER_AT = image_at(power_up_info(DeviceConfig(), None)) + 6  # behind type, length and CRC


def image(seed, *, spec="blink"):
    return random_image(PRESETS[spec], seed=seed).data


def design(data, *, seed=1, tools=(), **changed):
    config = DeviceConfig(**{"clock_hz": 54_000_000, **changed})
    return device_design(board=BOARD, image=data, config=config, seed=seed, tools=tools)


def test_inputs():
    first = design(image(1))
    assert first.inputs == design(image(1)).inputs
    assert first.inputs[0] == design(image(2)).inputs[0]
    assert first.inputs[1] != design(image(2)).inputs[1] != design(None).inputs[1]


@pytest.mark.quick
def test_build_id():
    def build_id(**kwargs):
        return design(kwargs.pop("data", None), **kwargs).facts["build_id"]

    first = build_id()
    assert len(bytes.fromhex(first)) == 8
    assert build_id(data=image(1)) == first
    others = [
        build_id(lanes=2),
        build_id(plan=PLAN9),
        build_id(clock_hz=81_000_000),
        build_id(seed=2),
        build_id(tools=("yosys 2",)),
    ]
    assert len({first, *others}) == 6
    assert build_id(build_id=b"given") == b"given\0\0\0".hex()


def test_other_plan_is_refused():
    with pytest.raises(InputError, match=r"^the model is of number plan 12, the build of 9: "):
        design(image(1), plan=PLAN9)


def test_every_device_has_its_number_of_block_rams():
    assert set(module._BLOCK_RAMS) == set(itertools.product(LANES, PLANS))


@pytest.mark.slow
def test_a_model_is_contents_only():
    logic = []
    for data, seed in ((image(1), 1), (image(2), 2), (image(3, spec="blink-two-loop"), 1)):
        top = design(data, seed=seed).top()
        files = BOARD.platform().prepare(top, "top", emit_src=False).files
        rtlil, contents = split(files["top.il"])
        logic.append(rtlil)
        assert any(name.endswith("lane0.dot_bank") for name in contents)
        (info,) = (item for name, item in contents.items() if ".hello" in name)
        written = np.packbits(info.bits, axis=1, bitorder="little").tobytes()
        header = written[HEADER_AT : HEADER_AT + 96]
        assert header == data[:96]  # golden values among them
    assert logic[0] == logic[1] == logic[2]


@pytest.mark.quick
def test_what_the_chip_has_no_room_for_is_refused_before_any_tool_runs(tmp_path):
    device = DeviceConfig(lanes=8, clock_hz=54_000_000)
    with pytest.raises(InputError, match="needs 69 MULT18X18, tangnano20k has 48: build with few"):
        build(BuildOptions(board="tangnano20k", device=device, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
