# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.wire.hello import FIXED_BYTES, Family, HelloField, HelloInfo, MachineKind
from glintfpga.firmware.wire.protocol import FrameError

HEADER = bytes(range(96))
INFO = HelloInfo(
    flags=3,
    baud_index=4,
    self_test=2,
    clock_hz=0x07060504,
    build_id=b"12345678",
    machine=MachineKind.ROW,
    machine_facts=b"\x04\x0c",
    family=Family.BLINK,
    max_payload=0x0102,
    ring=0x0304,
    limits=b"limits",
    image_crc=0x0A0B0C0D,
    image_header=HEADER,
)
FIXED = INFO.encode()[:FIXED_BYTES]
FIELDS = {
    HelloField.MACHINE: b"\x01\x04\x0c",
    HelloField.FAMILY: b"\x01",
    HelloField.LINK: b"\x02\x01\x04\x03",
    HelloField.LIMITS: b"limits",
    HelloField.IMAGE: b"\x0d\x0c\x0b\x0a" + HEADER,
}
UNKNOWN = st.integers(0, 255).filter(lambda kind: kind not in set(HelloField))


def written(fields, fixed=FIXED):
    """A hello with these (type, value) pairs."""
    return fixed + b"".join(bytes([kind, len(value)]) + value for kind, value in fields)


def refused(data):
    with pytest.raises(FrameError) as caught:
        HelloInfo.decode(data)
    assert not caught.value.damaged
    return str(caught.value)


def test_offsets():
    data = INFO.encode()
    assert FIXED_BYTES == 16
    assert data[:16].hex() == "03040200" + "04050607" + b"12345678".hex()
    assert data == written(FIELDS.items())
    assert HelloInfo.decode(data) == INFO


def test_without_a_model_there_is_no_image():
    info = replace(INFO, image_crc=0, image_header=b"")
    assert info.encode() == written(list(FIELDS.items())[:-1])
    assert HelloInfo.decode(info.encode()) == info


@pytest.mark.parametrize("kind", [HelloField.LIMITS, HelloField.IMAGE])
def test_what_may_be_missing(kind):
    left_out = {key: value for key, value in FIELDS.items() if key != kind}
    info = HelloInfo.decode(written(left_out.items()))
    missing = {"limits": b""} if kind == HelloField.LIMITS else {}
    missing = missing or {"image_crc": 0, "image_header": b""}
    assert info == replace(INFO, **missing)


@pytest.mark.parametrize("kind", [HelloField.MACHINE, HelloField.FAMILY, HelloField.LINK])
def test_what_must_be_there(kind):
    left_out = {key: value for key, value in FIELDS.items() if key != kind}
    assert f"has 0 bytes of {kind.name}, at least" in refused(written(left_out.items()))


@given(st.permutations(list(FIELDS.items())), st.dictionaries(UNKNOWN, st.binary(max_size=255)))
def test_any_order_and_unknown_fields_are_read_over(known, unknown):
    fields = [*known[:2], *unknown.items(), *known[2:]]
    assert HelloInfo.decode(written(fields)) == INFO


@pytest.mark.parametrize("kind", [HelloField.FAMILY, HelloField.LINK])
def test_what_follows_the_known_bytes_of_a_value_is_read_over(kind):
    assert HelloInfo.decode(written((FIELDS | {kind: FIELDS[kind] + b"more"}).items())) == INFO


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (HelloField.MACHINE, "machine_facts"),
        (HelloField.LIMITS, "limits"),
        (HelloField.IMAGE, "image_header"),
    ],
)
def test_values_of_any_length_are_kept_whole(kind, name):
    info = HelloInfo.decode(written((FIELDS | {kind: FIELDS[kind] + b"more"}).items()))
    assert info == replace(INFO, **{name: getattr(INFO, name) + b"more"})


@pytest.mark.quick
@pytest.mark.parametrize("kind", [*HelloField, 77])
def test_a_field_twice_is_refused(kind):
    fields = [*FIELDS.items(), *([(77, b"")] if kind == 77 else []), (kind, FIELDS.get(kind, b""))]
    assert f"has the field {kind:d} twice" in refused(written(fields))


@given(st.integers(0, len(INFO.encode()) - 1))
def test_a_hello_that_ends_too_early_is_refused(size):
    """Where a field ends one that may be missing can be; elsewhere there is no such hello."""
    data, ends = INFO.encode()[:size], [FIXED_BYTES]
    for value in FIELDS.values():
        ends.append(ends[-1] + 2 + len(value))
    if size in ends[3:]:
        assert HelloInfo.decode(data).family == Family.BLINK
        return
    words = {True: f"has {size} bytes, at least 16", False: "ends within its field"}
    assert size in ends or words[size < FIXED_BYTES] in refused(data)
    refused(data)


@pytest.mark.parametrize(
    ("kind", "short"),
    [
        (HelloField.MACHINE, b""),
        (HelloField.FAMILY, b""),
        (HelloField.LINK, bytes(3)),
        (HelloField.IMAGE, bytes(4)),
    ],
)
def test_a_value_that_is_too_short(kind, short):
    told = refused(written((FIELDS | {kind: short}).items()))
    assert f"has {len(short)} bytes of {kind.name}, at least {len(short) + 1} are due" in told


def test_no_room_for_payloads():
    assert "leaves payloads no byte" in refused(
        written((FIELDS | {HelloField.LINK: b"\0\0\4\3"}).items())
    )


def test_kinds_of_later_releases_are_numbers():
    later = {HelloField.MACHINE: b"\x63", HelloField.FAMILY: b"\x64"}
    info = HelloInfo.decode(written((FIELDS | later).items()))
    assert (info.machine, info.machine_facts, info.family) == (99, b"", 100)


@given(st.binary(max_size=300))
def test_any_bytes(data):
    try:
        info = HelloInfo.decode(data)
    except FrameError as error:
        assert not error.damaged
        return
    assert HelloInfo.decode(info.encode()) == info
