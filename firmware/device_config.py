# SPDX-License-Identifier: MIT
"""What a device is, apart from the model in it: one value for gateware, software and builds."""

from dataclasses import dataclass

from glintfpga.firmware.wire.protocol import BAUDS, HelloInfo
from glintfpga.quant.blink.limits import DEFAULT_LANES, LIMITS, check_lanes
from glintfpga.quant.blink.plan import DEFAULT_PLAN, NumberPlan
from glintfpga.quant.errors import InputError

__all__ = ["FAMILIES", "DeviceConfig"]

FAMILIES = ("blink",)
"""Families of models that there is a machine for."""

_BUILD_ID_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """A device to build, to simulate or to imitate.

    Raises ``InputError`` for an unknown family, for lanes that no device has and for a long
    ``build_id``.
    """

    family: str = "blink"
    """Of the models that it can hold."""
    lanes: int = DEFAULT_LANES
    plan: NumberPlan = DEFAULT_PLAN
    clock_hz: int = 0
    """0 in software, which has no clock."""
    bauds: tuple[int, ...] = BAUDS
    """Rates of the line; simulations may have faster ones."""
    build_id: bytes = b""
    """What the hello says of the build: up to eight bytes, filled up with zeros."""

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise InputError(f"family must be one of {FAMILIES}, not {self.family!r:.60}")
        check_lanes(self.lanes)
        if len(self.build_id) > _BUILD_ID_BYTES:
            raise InputError(
                f"build_id must have at most {_BUILD_ID_BYTES} bytes, not {self.build_id!r:.60}"
            )
        object.__setattr__(self, "build_id", self.build_id.ljust(_BUILD_ID_BYTES, b"\0"))

    def hello(self) -> HelloInfo:
        """What the device reports about itself while no model is loaded."""
        return HelloInfo(
            lanes=self.lanes,
            plan=self.plan.code,
            clock_hz=self.clock_hz,
            max_rows=LIMITS.rows,
            max_window=LIMITS.window,
            max_vocab=LIMITS.vocab,
            max_hidden=LIMITS.hidden,
            max_passes=LIMITS.passes,
            build_id=self.build_id,
        )
