# SPDX-License-Identifier: MIT
"""Where the changing parts of HELLO's info lie: byte positions, taken from the encoder itself."""

from dataclasses import replace

from glintfpga.firmware.wire.hello import HelloInfo

__all__ = ["BAUD_AT", "FLAGS_AT", "MAX_INFO", "SELF_TEST_AT", "image_at"]

MAX_INFO = 256
"""Bytes of info that a device has room for."""


def _position(field: str) -> int:
    """Where a byte of the fixed part lies."""
    blank = HelloInfo(machine=0, family=0)
    changed = replace(blank, **{field: 255}).encode()  # type: ignore[arg-type]
    return next(i for i, (a, b) in enumerate(zip(blank.encode(), changed)) if a != b)


FLAGS_AT = _position("flags")
BAUD_AT = _position("baud_index")
SELF_TEST_AT = _position("self_test")


def image_at(info: HelloInfo) -> int:
    """Where the field of the image lies: its type, its length, the CRC, the header.

    It is the last one; without a model the info ends here.
    """
    return len(replace(info, image_header=b"").encode())
