# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.schedule import step_cycles
from glintfpga.host.report.pass_chart import NOW, pass_picture
from glintfpga.quant.blink.spec import ModelSpec

PASS_STEPS = ("norm and q, k, v", "attention", "feed-forward")


@pytest.mark.quick
@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize(("window", "hidden"), [(8, 6), (16, 6), (256, 16), (3, 4)])
def test_as_long_as_the_schedule_says(lanes, window, hidden):
    spec = ModelSpec(window=window, hidden=hidden)
    steps = step_cycles(spec, lanes, window)
    cycles = sum(steps[name] for name in PASS_STEPS) // spec.loops
    assert f">{cycles} cycles a pass<" in pass_picture(spec, lanes)


def test_default():
    assert NOW.cycles == 33
    assert "Not drawn for two lanes" in pass_picture(ModelSpec(), 2)
