# SPDX-License-Identifier: MIT
"""After link faults a device answers as before, and its counters are right."""

import zlib

import pytest
from cobs import cobs

from glintfpga.firmware.wire.messages import Counters, generate, message
from glintfpga.firmware.wire.protocol import Op
from glintfpga.sim.shipped import shipped_sim
from glintfpga.sim.stimulus import link_faults
from glintfpga.sim.stimulus.driver import HostDriver


@pytest.fixture
def driver():
    return HostDriver(shipped_sim())


def counters(driver):
    replies = driver.host.ask(message(Op.COUNTERS))
    return Counters.decode(next(body for op, body in replies if op == Op.COUNTED))


def tokens(driver):
    """What the device says from an empty context on."""
    replies = driver.host.ask(message(Op.RESET), generate(8, crc=True))
    return b"".join(body for op, body in replies if op == Op.TOKENS)


def test_each_damaged_frame_is_counted(driver):
    before = counters(driver)
    link_faults.bad_crcs(driver)
    assert counters(driver).crc_errors == before.crc_errors + 32


def test_a_damaged_frame_leaves_one_bit_of_the_register_wrong(driver):
    frame = link_faults._data(driver, payload=b"abc")
    body = cobs.decode(frame[:-1])
    for bit in range(32):
        wrong = cobs.decode(link_faults._damaged(frame, bit)[:-1])
        assert wrong[:-4] == body[:-4]
        assert zlib.crc32(wrong) ^ zlib.crc32(body) == 1 << bit


COUNTED = {
    link_faults.overrun: {"dropped", "prefill_tokens"},
    link_faults.bad_frames_while_full: {"dropped", "crc_errors"},
    link_faults.noise: {"dropped", "crc_errors", "tokens"},
    link_faults.session_restart: {"tokens"},
    link_faults.forged_acks: {"dropped", "tokens"},
    link_faults.lost_answers: {"retries", "tokens"},
}
"""What each of them makes more of; of the rest of these counters it makes nothing."""


@pytest.mark.parametrize("fault", COUNTED)
def test_the_device_answers_as_before(driver, fault):
    said = tokens(driver)
    before = counters(driver)
    fault(driver)
    after = counters(driver)
    kinds = ("dropped", "crc_errors", "retries", "tokens", "prefill_tokens")
    more = {kind for kind in kinds if getattr(after, kind) > getattr(before, kind)}
    assert more == COUNTED[fault]
    assert tokens(driver) == said
