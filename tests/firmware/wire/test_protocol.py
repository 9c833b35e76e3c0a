# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.wire.protocol import (
    BAUDS,
    CREDIT_UNIT,
    MAX_CREDIT,
    MAX_PAYLOAD,
    OLD_VERSION,
    SHORT_PAYLOAD,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
    TO_HOST_RING,
    VERSION,
    frame_bytes,
    payload_limit,
)


def test_first_baud_is_the_default():
    assert BAUDS[0] == 115200


def test_versions_fit_half_a_byte():
    assert (OLD_VERSION, VERSION) == (1, 2)


@pytest.mark.quick
def test_payloads_by_rate():
    assert [payload_limit(baud) for baud in BAUDS] == [192, 2000, 2000, 2000, 2000]
    assert payload_limit(27_000_000 // 4) == MAX_PAYLOAD


@pytest.mark.parametrize(("payload", "most"), [(0, 14), (192, 206), (242, 257), (2000, 2021)])
def test_frame_bytes(payload, most):
    assert frame_bytes(payload) == most


def test_a_frame_takes_no_longer_than_20_milliseconds():
    assert 10 * frame_bytes(SHORT_PAYLOAD) / BAUDS[0] < 0.0205
    assert 10 * frame_bytes(MAX_PAYLOAD) / BAUDS[1] < 0.0205


def test_rings_hold_frames_and_credits_nearly_reach_their_ends():
    assert 2 * TO_DEVICE_PAYLOAD <= TO_DEVICE_RING < MAX_CREDIT * CREDIT_UNIT
    assert 2 * MAX_PAYLOAD <= MAX_CREDIT * CREDIT_UNIT < TO_HOST_RING
    assert TO_HOST_RING - MAX_CREDIT * CREDIT_UNIT == CREDIT_UNIT
