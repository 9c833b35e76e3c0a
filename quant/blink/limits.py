# SPDX-License-Identifier: MIT
"""What the row machine can be built for and what it can hold. Standard library only."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glintfpga.quant.errors import InputError

if TYPE_CHECKING:
    from glintfpga.quant.blink.spec import ModelSpec

__all__ = ["DEFAULT_LANES", "LANES", "LIMITS", "Limits", "check_fits", "check_lanes"]

LANES = (2, 4, 8)
"""P, the numbers of lanes that a device can have; results depend on it."""

DEFAULT_LANES = 4


def check_lanes(lanes: int) -> None:
    """Raise ``InputError`` for a number of lanes that no device has."""
    if lanes not in LANES:
        raise InputError(f"lanes must be one of {LANES}, not {lanes!r}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest model that a row machine holds, as its hello reports it."""

    rows: int = 4096
    """Logical rows in each bank, whatever the number of lanes."""
    window: int = 256
    vocab: int = 512
    hidden: int = 16
    passes: int = 16


LIMITS = Limits()
"""Of every device so far: its memories have one size, whatever the number of lanes."""

_MAX_LORA_RANK = 16
_MAX_THINKING = 127
"""Limits of the image, whose fields for them are this wide."""


def check_fits(spec: "ModelSpec", limits: Limits = LIMITS) -> None:
    """Raise ``InputError`` that names the first limit that a model exceeds.

    The rows that a model needs are for the layout of its image to count.
    """
    for what, value, limit in (
        ("window", spec.window, limits.window),
        ("vocabulary", spec.vocab, limits.vocab),
        ("hidden size", spec.hidden, limits.hidden),
        ("number of passes", spec.passes, limits.passes),
        ("LoRA rank", spec.lora_rank, _MAX_LORA_RANK),
        ("thinking", spec.thinking, _MAX_THINKING),
    ):
        if value > limit:
            raise InputError(
                f"the model's {what} of {value} exceeds the device's limit of {limit}: "
                "use a smaller model"
            )
