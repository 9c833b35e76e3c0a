# SPDX-License-Identifier: MIT
"""What a row machine reports of itself: the values of two fields of its hello.

MACHINE behind the kind: lanes u8, plan u8. LIMITS: rows u16, window u16, vocab u16, hidden u8,
passes u8, see `glintfpga.quant.blink.limits.Limits`.
"""

import struct
from dataclasses import astuple, dataclass
from typing import Self

from glintfpga.firmware.wire.hello import Family, HelloInfo, MachineKind
from glintfpga.quant.blink.limits import DEFAULT_LANES, LANES, LIMITS, Limits
from glintfpga.quant.blink.plan import DEFAULT_PLAN, PLANS, NumberPlan
from glintfpga.quant.errors import DeviceError

__all__ = ["RowFacts"]

_FACTS = struct.Struct("<BB")
_LIMITS = struct.Struct("<HHHBB")


@dataclass(frozen=True, kw_only=True)
class RowFacts:
    """A row machine as it was built."""

    lanes: int = DEFAULT_LANES
    plan: NumberPlan = DEFAULT_PLAN
    limits: Limits = LIMITS

    def hello(self, **reported: int | bytes) -> HelloInfo:
        """The hello of such a machine that holds no model, with what else it reports."""
        return HelloInfo(
            machine=MachineKind.ROW,
            machine_facts=_FACTS.pack(self.lanes, self.plan.code),
            family=Family.BLINK,
            limits=_LIMITS.pack(*astuple(self.limits)),
            **reported,  # type: ignore[arg-type]
        )

    @classmethod
    def of(cls, info: HelloInfo) -> Self:
        """The inverse. Raises ``DeviceError`` for what no row machine of this version reports."""
        if (info.machine, info.family) != (MachineKind.ROW, Family.BLINK):
            raise DeviceError(f"machine {info.machine} for models of family {info.family}")
        if len(info.machine_facts) < _FACTS.size or len(info.limits) < _LIMITS.size:
            raise DeviceError(
                f"{len(info.machine_facts)} bytes for its machine, {len(info.limits)} for limits"
            )
        lanes, plan = _FACTS.unpack_from(info.machine_facts)
        if lanes not in LANES:
            raise DeviceError(f"{lanes} for its lanes")
        if plan not in PLANS:
            raise DeviceError(f"{plan} for its plan")
        names = ("rows", "window", "vocab", "hidden", "passes")
        limits = dict(zip(names, _LIMITS.unpack_from(info.limits), strict=True))
        return cls(lanes=lanes, plan=PLANS[plan], limits=Limits(**limits))
