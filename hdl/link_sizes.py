# SPDX-License-Identifier: MIT
"""How much block RAM a device gives to the way from it to the host."""

from dataclasses import dataclass

from glintfpga.firmware.wire.protocol import MAX_PAYLOAD, TO_HOST_RING

__all__ = ["LARGE", "SMALL", "LinkSizes"]


@dataclass(frozen=True)
class LinkSizes:
    """Sizes in bytes.

    The ring keeps what the host has not acknowledged; it is a power of 2, at most `TO_HOST_RING`.
    The transmitter keeps two frames with so long payloads.
    """

    ring: int
    payload: int


LARGE = LinkSizes(ring=TO_HOST_RING, payload=MAX_PAYLOAD)
"""Six block RAMs; messages in full frames leave 1.2 % of the line's time to anything but tokens."""

SMALL = LinkSizes(ring=2048, payload=512)
"""Two block RAMs; 3.6 % of the time, and the ring holds 7 ms at 3 Mbaud."""
