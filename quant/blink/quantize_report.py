# SPDX-License-Identifier: MIT
"""What quantizing did to each tensor, as a plain text table and as JSON."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glintfpga.quant.numbers.arrays import FloatArray

__all__ = ["QuantizeReport", "TensorRow", "snr_db"]

_NO_ERROR_DB = 200.0
_DOUBTFUL_DB = 15.0
"""At 14.9 dB perplexity rose by a tenth; of checkpoints with one outlier all but two had less than
12 dB, and blink-base, 22.6 dB, loses 0.2 % (measured)."""
_OUTLIER = 100.0
"""Of trained tensors the largest weight was at most 35 times the median (measured)."""


@dataclass(frozen=True, kw_only=True)
class TensorRow:
    """One tensor of one pass (index -1: outside the passes)."""

    tensor: str
    index: int
    largest: float
    """Largest magnitude of the real numbers."""
    format: str
    saturated: int
    """Numbers outside the format: of the weights, or of values seen over the calibration text."""
    count: int
    snr_db: float | None
    """Signal to rounding noise of stored weights; None for values."""


@dataclass(frozen=True, kw_only=True)
class QuantizeReport:
    """Result of ``quantize``: ranges, formats, saturations, signal to noise."""

    plan: int
    rope: str
    balance: tuple[int, ...]
    """Powers of two moved from q to k, per pass."""
    logit_snr_db: float
    """Float logits over the calibration text against those of a device with ``lanes`` lanes."""
    lanes: int
    peak_tensor: str
    """The checkpoint's tensor whose largest weight is the most times its median, in magnitude."""
    peak_ratio: float
    """How many times; the median is of weights that are not 0."""
    rows: tuple[TensorRow, ...]

    @property
    def saturated(self) -> int:
        """Saturated numbers of all tensors."""
        return sum(row.saturated for row in self.rows)

    @property
    def doubt(self) -> str | None:
        """One line where the integers are so far from the float model that it may be ruined."""
        if self.logit_snr_db >= _DOUBTFUL_DB:
            return None
        cause = (
            f"the largest weight of {self.peak_tensor!r} is {self.peak_ratio:,.0f} times its "
            "median: bound it and train on"
            if self.peak_ratio >= _OUTLIER
            else "no weight stands out: quantize --report FILE shows all ranges"
        )
        return (
            "much of the model may be lost: in the chip's numbers its logits have a signal to "
            f"noise of {self.logit_snr_db:.1f} dB, less than {_DOUBTFUL_DB:g} dB; {cause}; "
            "glintfpga eval compares the two"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a table of 66 columns, one line per tensor and pass."""
        lines = [
            f"plan {self.plan}, RoPE {self.rope} turn a token",
            f"logits, fixed ({self.lanes} lanes) against float: {self.logit_snr_db:.1f} dB",
            "",
            f"{'tensor':<16}{'pass':>4}{'largest':>11}{'format':>9}{'saturated':>18}{'dB':>8}",
        ]
        for row in self.rows:
            index = "" if row.index < 0 else str(row.index)
            noise = "" if row.snr_db is None else f"{row.snr_db:.1f}"
            share = f"{row.saturated}/{row.count}"
            lines.append(
                f"{row.tensor:<16}{index:>4}{row.largest:>11.3f}{row.format:>9}"
                f"{share:>18}{noise:>8}"
            )
        return "\n".join(lines) + "\n"


def snr_db(real: FloatArray, approximate: FloatArray) -> float:
    """``10 log10(sum real**2 / sum (real - approximate)**2)``, within 0 (no signal) and 200."""
    signal, noise = float(np.square(real).sum()), float(np.square(real - approximate).sum())
    if noise == 0.0:
        return _NO_ERROR_DB
    if signal == 0.0:
        return 0.0
    return min(10 * math.log10(signal / noise), _NO_ERROR_DB)
