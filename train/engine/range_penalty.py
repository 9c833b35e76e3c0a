# SPDX-License-Identifier: MIT
"""The range penalty that keeps values inside their fixed-point formats."""

from dataclasses import dataclass

__all__ = ["RangePenalty"]


@dataclass(frozen=True, kw_only=True)
class RangePenalty:
    """``weight / 2 * (|a| - limit)**2`` joins a token's loss for each number beyond its limit.

    q and k are those of the chip (folded, after RoPE), z is ``silu(gate) * up``, x the residual
    vector behind attention and behind the feed-forward. A gate is pulled back from above only: the
    chip clamps it to +-8, and SiLU(-8) is nearly zero. Reported losses leave the penalty out; the
    gradients have it. With a window of 8 that of q, k, z and x costs nothing measurable (13.34 with
    and without, byte perplexity after 100 M tokens); that of the gate was not measured apart.
    """

    weight: float = 1e-3
    qk: float = 16.0
    gate: float = 6.0
    z: float = 5.0
    x: float = 24.0
