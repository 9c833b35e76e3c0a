# SPDX-License-Identifier: MIT
"""The port through which rows of an image enter the core's memories, and leave them again."""

from collections.abc import Iterable

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["READ_CYCLES", "LoadPort", "pack_row"]

LoadPort = wiring.Signature(
    {
        "valid": Out(1),
        "read": Out(1),
        "target": Out(3),
        "index": Out(12),
        "data": Out(48),
        "stored": In(48),
    }
)
"""One row (three int16, first lowest) a cycle; ``target`` is ``firmware.blink.image.Section``.

While ``read`` is high, ``stored`` is the row that the memories hold at ``target`` and ``index``,
`READ_CYCLES` after both; CONFIG and TABLE share a memory, EMBED and ROPE have one each.
"""

READ_CYCLES = 8
"""dot address, four cycles to the sum address, memory, lane, section."""


def pack_row(row: Iterable[int], width: int) -> int:
    """Three numbers as one memory word of ``3 * width`` bits, first lowest."""
    mask = (1 << width) - 1
    return sum((int(number) & mask) << (width * i) for i, number in enumerate(row))
