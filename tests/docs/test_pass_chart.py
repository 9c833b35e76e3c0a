# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.schedule import token_cycles
from glintfpga.quant.blink.spec import ModelSpec
from support.scripts import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("pass_chart")


@pytest.mark.quick
def test_is_up_to_date(script):
    assert script.TARGET.read_text() == script.picture() + "\n", "run make docs"


def test_titles_are_true(script):
    """The old gateware took 2 cycles of embed, eight of its passes and 80 of logits: 442."""
    assert f"{token_cycles(ModelSpec(), 4, 8)} a token" in script.picture()
    assert f"{2 + 8 * script.BEFORE.cycles + 80} a token" in script.picture()
