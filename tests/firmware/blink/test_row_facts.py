# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.hello import Family, HelloInfo, MachineKind
from glintfpga.firmware.wire.protocol import TO_DEVICE_PAYLOAD, TO_DEVICE_RING
from glintfpga.quant.blink.limits import LANES, LIMITS, Limits
from glintfpga.quant.blink.plan import PLAN9, PLAN12, PLANS
from glintfpga.quant.errors import DeviceError

SMALL = Limits(rows=0x0102, window=0x0304, vocab=0x0506, hidden=7, passes=8)


def test_bytes():
    info = RowFacts(lanes=8, plan=PLAN9, limits=SMALL).hello(clock_hz=5)
    assert (info.machine, info.family, info.clock_hz) == (MachineKind.ROW, Family.BLINK, 5)
    assert info.machine_facts.hex() == "0809"
    assert info.limits.hex() == "020104030605" + "0708"
    assert (info.max_payload, info.ring) == (TO_DEVICE_PAYLOAD, TO_DEVICE_RING)
    assert (info.flags, info.image_header) == (0, b"")


def test_defaults_are_those_of_every_device_so_far():
    assert RowFacts.of(RowFacts().hello()) == RowFacts(lanes=4, plan=PLAN12, limits=LIMITS)


@given(
    st.sampled_from(LANES),
    st.sampled_from(list(PLANS.values())),
    st.builds(
        Limits,
        rows=st.integers(0, 65535),
        window=st.integers(0, 65535),
        vocab=st.integers(0, 65535),
        hidden=st.integers(0, 255),
        passes=st.integers(0, 255),
    ),
)
def test_round_trip(lanes, plan, limits):
    facts = RowFacts(lanes=lanes, plan=plan, limits=limits)
    assert RowFacts.of(HelloInfo.decode(facts.hello().encode())) == facts


def test_more_facts_than_are_known_are_read_over():
    info = RowFacts(limits=SMALL).hello()
    longer = replace(info, machine_facts=info.machine_facts + b"x", limits=info.limits + b"yz")
    assert RowFacts.of(longer) == RowFacts(limits=SMALL)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"machine": 2}, "^machine 2 for models of family 1$"),
        ({"family": 9}, "^machine 1 for models of family 9$"),
        ({"machine_facts": b"\4"}, "^1 bytes for its machine, 8 for limits$"),
        ({"limits": bytes(7)}, "^2 bytes for its machine, 7 for limits$"),
        ({"limits": b""}, "^2 bytes for its machine, 0 for limits$"),
        ({"machine_facts": b"\3\x0c"}, "^3 for its lanes$"),
        ({"machine_facts": b"\4\x0b"}, "^11 for its plan$"),
    ],
)
def test_what_no_row_machine_reports(wrong, reason):
    with pytest.raises(DeviceError, match=reason):
        RowFacts.of(replace(RowFacts().hello(), **wrong))
