# SPDX-License-Identifier: MIT
"""What a device reports of itself: a fixed part, and fields that each tell their type and length.

The fixed part, 16 bytes:

===== ==== ================  ======================================================
at    type field
===== ==== ================  ======================================================
0     u8   flags             `HelloFlag`
1     u8   baud_index        into `BAUDS`, now
2     u8   self_test         `SelfTest`
3     x                      zero
4     u32  clock_hz          0 in a software device
8     8s   build_id
===== ==== ================  ======================================================

Behind it fields, ``type u8 | length u8 | value``, each at most once and in any order; those of an
unknown type are read over, and bytes behind the known ones of a value too. So a new fact needs no
new version.

======== ==== =================================================================================
field    type value
======== ==== =================================================================================
MACHINE  1    kind u8 (`MachineKind`), and what such a machine was built as
FAMILY   2    family u8 (`Family`) of the models that it computes
LINK     3    longest payload that it takes u16, bytes in its receiving ring u16
LIMITS   4    the largest model that it holds, as its kind writes it
IMAGE    5    image_crc u32 and the header of the image; only with a model
======== ==== =================================================================================

The values of MACHINE and LIMITS for a row machine: `glintfpga.firmware.blink.row_facts`.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from glintfpga.firmware.wire.protocol import (
    BUILD_ID_BYTES,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
    FrameError,
    SelfTest,
)

__all__ = ["FIXED_BYTES", "Family", "HelloField", "HelloInfo", "MachineKind"]


class MachineKind(IntEnum):
    """What computes the tokens. ROW: lanes over rows in block RAM, or its imitation."""

    ROW = 1


class Family(IntEnum):
    """Of models, and so of images."""

    BLINK = 1


class HelloField(IntEnum):
    """Types of the fields."""

    MACHINE = 1
    FAMILY = 2
    LINK = 3
    LIMITS = 4
    IMAGE = 5


@dataclass(frozen=True, kw_only=True)
class HelloInfo:
    """What a device reports of itself.

    ``machine`` and ``family`` are numbers, as a device may be of a kind that the host does not
    have. ``machine_facts`` and ``limits`` are bytes in the form of the machine's kind.
    ``image_header`` is as in the file, and empty without a model.
    """

    flags: int = 0
    baud_index: int = 0
    self_test: int = SelfTest.NOT_RUN
    clock_hz: int = 0
    build_id: bytes = bytes(BUILD_ID_BYTES)
    machine: int
    machine_facts: bytes = b""
    family: int
    max_payload: int = TO_DEVICE_PAYLOAD
    ring: int = TO_DEVICE_RING
    limits: bytes = b""
    image_crc: int = 0
    image_header: bytes = b""

    def encode(self) -> bytes:
        """Fixed part and fields; the image is the last of them."""
        fixed = (self.flags, self.baud_index, self.self_test, self.clock_hz, self.build_id)
        fields = {
            HelloField.MACHINE: bytes([self.machine]) + self.machine_facts,
            HelloField.FAMILY: bytes([self.family]),
            HelloField.LINK: _LINK.pack(self.max_payload, self.ring),
            HelloField.LIMITS: self.limits,
        }
        if self.image_header:
            fields[HelloField.IMAGE] = _CRC.pack(self.image_crc) + self.image_header
        return _FIXED.pack(*fixed) + b"".join(
            bytes([field, len(value)]) + value for field, value in fields.items()
        )

    def clock_and_build(self) -> bytes:
        """The bytes of clock_hz and build_id, which end the fixed part."""
        return _FIXED.pack(0, 0, 0, self.clock_hz, self.build_id)[-(4 + BUILD_ID_BYTES) :]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse; raises `FrameError`, not ``damaged``, for what cannot be read."""
        if len(data) < FIXED_BYTES:
            raise _unreadable(f"has {len(data)} bytes, at least {FIXED_BYTES} are due")
        flags, baud_index, self_test, clock_hz, build_id = _FIXED.unpack_from(data)
        fields = _split(data[FIXED_BYTES:])
        machine = _value(fields, HelloField.MACHINE, 1)
        max_payload, ring = _LINK.unpack_from(_value(fields, HelloField.LINK, _LINK.size))
        if not max_payload:
            raise _unreadable("leaves payloads no byte")
        image = _value(fields, HelloField.IMAGE, _CRC.size + 1, default=bytes(_CRC.size))
        return cls(
            flags=flags,
            baud_index=baud_index,
            self_test=self_test,
            clock_hz=clock_hz,
            build_id=build_id,
            machine=machine[0],
            machine_facts=machine[1:],
            family=_value(fields, HelloField.FAMILY, 1)[0],
            max_payload=max_payload,
            ring=ring,
            limits=_value(fields, HelloField.LIMITS, 0, default=b""),
            image_crc=_CRC.unpack_from(image)[0],
            image_header=image[_CRC.size :],
        )


_FIXED = struct.Struct("<BBBxI8s")
FIXED_BYTES = _FIXED.size
_LINK = struct.Struct("<HH")
_CRC = struct.Struct("<I")


def _split(data: bytes) -> dict[int, bytes]:
    """Values by type."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        field, end = data[at], at + 2 + (data[at + 1] if at + 1 < len(data) else 0)
        if at + 2 > len(data) or end > len(data):
            raise _unreadable(f"ends within its field {field}")
        if field in fields:
            raise _unreadable(f"has the field {field} twice")
        fields[field] = data[at + 2 : end]
        at = end
    return fields


def _value(
    fields: dict[int, bytes], field: HelloField, size: int, *, default: bytes | None = None
) -> bytes:
    """A field's value of at least ``size`` bytes, or the default where there is no such field."""
    if field not in fields and default is not None:
        return default
    value = fields.get(field, b"")
    if len(value) < size or field not in fields:
        raise _unreadable(f"has {len(value)} bytes of {field.name}, at least {size} are due")
    return value


def _unreadable(what: str) -> FrameError:
    return FrameError(f"the device's hello {what}", damaged=False)
