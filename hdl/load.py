# SPDX-License-Identifier: MIT
"""The port through which rows of an image enter the core's memories."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["LoadPort", "pack_row"]

LoadPort = wiring.Signature(
    {
        "valid": Out(1),
        "target": Out(3),
        "index": Out(12),
        "data": Out(48),
    }
)
"""One row (three int16, first lowest) a cycle; ``target`` is ``firmware.image.Section``."""


def pack_row(row: Iterable[int], width: int) -> int:
    """Three numbers as one memory word of ``3 * width`` bits, first lowest."""
    mask = (1 << width) - 1
    return sum((int(number) & mask) << (width * i) for i, number in enumerate(row))
