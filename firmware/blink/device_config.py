# SPDX-License-Identifier: MIT
"""A row machine as a device, apart from the model in it: for gateware, software and builds."""

from dataclasses import dataclass

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import BAUDS, BUILD_ID_BYTES
from glintfpga.quant.blink.limits import DEFAULT_LANES, check_lanes
from glintfpga.quant.blink.plan import DEFAULT_PLAN, NumberPlan
from glintfpga.quant.errors import InputError

__all__ = ["NOISE_MULTIPLIERS", "DeviceConfig"]

NOISE_MULTIPLIERS = {2: 4, 4: 7, 8: 0}
"""By lanes: for the noise of a group of logits, what the machine leaves of 48 wide multipliers."""


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """A device to build, to simulate or to imitate.

    Raises ``InputError`` for lanes that no device has and for a long ``build_id``.
    """

    lanes: int = DEFAULT_LANES
    plan: NumberPlan = DEFAULT_PLAN
    clock_hz: int = 0
    """0 in software, which has no clock."""
    bauds: tuple[int, ...] = BAUDS
    """Rates of the line; simulations may have faster ones."""
    build_id: bytes = b""
    """What the hello says of the build: up to eight bytes, filled up with zeros."""

    def __post_init__(self) -> None:
        check_lanes(self.lanes)
        if len(self.build_id) > BUILD_ID_BYTES:
            raise InputError(
                f"build_id must have at most {BUILD_ID_BYTES} bytes, not {self.build_id!r:.60}"
            )
        object.__setattr__(self, "build_id", self.build_id.ljust(BUILD_ID_BYTES, b"\0"))

    def hello(self) -> HelloInfo:
        """What the device reports about itself while no model is loaded."""
        facts = RowFacts(lanes=self.lanes, plan=self.plan)
        return facts.hello(clock_hz=self.clock_hz, build_id=self.build_id)
