# SPDX-License-Identifier: MIT
"""Where the fields of HELLO's info lie: byte positions, taken from the encoder itself."""

from dataclasses import replace

from glintfpga.firmware.wire.protocol import HelloInfo

__all__ = ["BAUD_AT", "CRC_AT", "FLAGS_AT", "HEADER_AT", "SELF_TEST_AT"]


def _position(field: str, value: object) -> int:
    """Where the first byte of a field lies."""
    blank = HelloInfo(lanes=0, plan=0)
    changed = replace(blank, **{field: value}).encode()  # type: ignore[arg-type]
    return next(i for i, (a, b) in enumerate(zip(blank.encode(), changed)) if a != b)


FLAGS_AT = _position("flags", 255)
BAUD_AT = _position("baud_index", 255)
SELF_TEST_AT = _position("self_test", 255)
CRC_AT = _position("image_crc", 255)
"""Of the model's image; the header follows it."""
HEADER_AT = _position("image_header", b"\xff" * 96)
