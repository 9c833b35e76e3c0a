# SPDX-License-Identifier: MIT
from dataclasses import FrozenInstanceError

import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.quant.blink.limits import DEFAULT_LANES, LANES, LIMITS
from glintfpga.quant.blink.plan import DEFAULT_PLAN, PLAN9, PLANS
from glintfpga.quant.errors import InputError


def test_defaults():
    config = DeviceConfig()
    assert (config.lanes, config.plan) == (4, PLANS[12])
    assert (config.clock_hz, config.bauds, config.build_id) == (0, BAUDS, bytes(8))
    assert DEFAULT_LANES in LANES and DEFAULT_PLAN in PLANS.values()


def test_hello():
    config = DeviceConfig(lanes=8, plan=PLAN9, clock_hz=54_000_000, build_id=b"x")
    info = config.hello()
    assert info.clock_hz == 54_000_000
    assert info.build_id == b"x".ljust(8, b"\0")
    assert (info.flags, info.image_crc, info.image_header) == (0, 0, b"")
    assert RowFacts.of(info) == RowFacts(lanes=8, plan=PLAN9, limits=LIMITS)
    assert HelloInfo.decode(info.encode()) == info


@pytest.mark.quick
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"lanes": 3}, r"lanes must be one of \(2, 4, 8\), not 3"),
        ({"build_id": b"123456789"}, "build_id must have at most 8 bytes, not b'123456789'"),
    ],
)
def test_what_no_device_is(wrong, reason):
    with pytest.raises(InputError, match=reason):
        DeviceConfig(**wrong)


def test_it_stays_as_it_is():
    with pytest.raises(FrozenInstanceError):
        DeviceConfig().lanes = 2
