# SPDX-License-Identifier: MIT
"""Fixed-point formats and the one rounding rule. Standard library only.

``shift_round`` is written with ``+ << >>`` alone, so the same text computes on ``int``, on NumPy
integer arrays and on Amaranth values: reference and gateware cannot round differently.
"""

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["QFormat", "shift_round"]


def shift_round(value: Any, shift: int) -> Any:
    """Return ``floor(value / 2**shift + 1/2)``: a right shift that rounds half up.

    Raises ``ValueError`` for a negative shift. Amaranth widens the sum by itself; NumPy callers
    must hold ``value`` in a type with one spare bit (int64 everywhere in this package).
    """
    if shift < 0:
        raise ValueError(f"shift must not be negative, not {shift!r}")
    if shift == 0:
        return value
    return (value + (1 << (shift - 1))) >> shift


@dataclass(frozen=True)
class QFormat:
    """A fixed-point format: ``width`` bits in all, ``frac`` of them behind the binary point.

    The stored integer ``n`` means ``n / 2**frac``. ``frac`` may be negative or exceed ``width``.
    """

    width: int
    frac: int
    signed: bool = True

    def __post_init__(self) -> None:
        if self.width < 1 + self.signed:
            raise ValueError(f"width must be at least {1 + self.signed}, not {self.width!r}")

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}"

    @property
    def lo(self) -> int:
        """Smallest stored integer."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest stored integer."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def ulp(self) -> float:
        """Value of one stored unit (exact: a power of two)."""
        return math.ldexp(1.0, -self.frac)

    def saturate(self, stored: Any) -> Any:
        """Clamp stored integers (``int`` or NumPy array) into the format."""
        if isinstance(stored, int):
            return max(self.lo, min(self.hi, stored))
        return stored.clip(self.lo, self.hi)

    def quantize(self, real: Any) -> Any:
        """Nearest stored integers of real numbers: half up, saturating.

        Takes a ``float`` or a NumPy array and returns ``int`` or an int64 array.
        """
        scaled = real * math.ldexp(1.0, self.frac)
        if isinstance(scaled, float):
            return self.saturate(math.floor(scaled + 0.5))
        return self.saturate((scaled + 0.5).__floordiv__(1.0)).astype("int64")

    def real(self, stored: Any) -> Any:
        """Real numbers that stored integers mean."""
        return stored * self.ulp
