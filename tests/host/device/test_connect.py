# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.wire.protocol import HelloInfo
from glintfpga.host.device.connect import limits_of
from glintfpga.quant.blink.limits import LIMITS


@pytest.mark.quick
def test_the_limits_of_a_hello_are_those_of_every_device_so_far():
    assert limits_of(HelloInfo(lanes=4, plan=12)) == LIMITS
