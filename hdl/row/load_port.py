# SPDX-License-Identifier: MIT
"""Rows of an image on their way between the loader and the memories of the core."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.blink.latency import VALUE

__all__ = ["READ_CYCLES", "LoadPort"]

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
"""Rows of an image into the core's memories, and out of them again; seen from the loader.

Members
-------
valid : Out(1)
    Write ``data`` (three int16, first lowest) as row ``index`` of section ``target``. One row per
    cycle.
read : Out(1)
    While it is high, ``stored`` is the row at ``target`` and ``index``, `READ_CYCLES` after both.
target, index, data, stored
    The sections are those of the machine's image format.
"""

READ_CYCLES = VALUE + 3
"""Dot address, ``VALUE - 1`` cycles to the sum address, memory, lane, section."""
