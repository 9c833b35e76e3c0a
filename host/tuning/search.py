# SPDX-License-Identifier: MIT
"""From the clock of the build upward until one fails, and which of them to keep.

54 passed   67.5 passed   81 passed   94.5 failed      kept: 67.5, one step of margin
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glintfpga.quant.errors import DeviceError

__all__ = ["Found", "search"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search came to; clocks in MHz."""

    passed: tuple[float, ...]
    failed: float | None
    """None where all passed."""
    reason: str
    """Of the failure."""

    @property
    def clock_mhz(self) -> float:
        """The fastest whose next step passed, too; where only the first one passed, that one."""
        return self.passed[-2] if len(self.passed) > 1 else self.passed[0]

    @property
    def next_clock_mhz(self) -> float | None:
        """The step above, which passed."""
        return self.passed[-1] if len(self.passed) > 1 else None


def search(
    clocks: Sequence[float],
    *,
    flash: Callable[[float], None],
    verify: Callable[[float], None],
    tell: Callable[[float, str], None],
) -> Found:
    """Try each clock: ``flash`` the device for it, then ``verify``.

    ``verify`` raises ``DeviceError`` where the device fails at it; an error of ``flash`` is none of
    the clock, and ends the search. ``tell`` gets each clock and why it failed, an empty text when
    it did not. Raises ``DeviceError`` when the first fails, which is that of the build.
    """
    passed: list[float] = []
    for clock in clocks:
        flash(clock)
        try:
            verify(clock)
        except DeviceError as error:
            if not passed:
                raise DeviceError(
                    f"the device fails at {clock:g} MHz, its own clock: {error}"
                ) from error
            tell(clock, str(error))
            return Found(passed=tuple(passed), failed=clock, reason=str(error))
        passed.append(clock)
        tell(clock, "")
    return Found(passed=tuple(passed), failed=None, reason="")
