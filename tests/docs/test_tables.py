# SPDX-License-Identifier: MIT
"""Tables of docs/ against the code they describe."""

import pytest

from glintfpga.boards.design import expected_resources
from glintfpga.firmware.blink.image_format import HEADER_BYTES
from glintfpga.firmware.device_config import DeviceConfig
from glintfpga.firmware.wire import protocol
from glintfpga.firmware.wire.messages import Counters, Done, Generate
from glintfpga.firmware.wire.protocol import Data, Hello, HelloInfo, HelloReply
from glintfpga.quant.blink.plan import PLAN9, PLAN12, plan_of
from glintfpga.quant.blink.spec import PRESETS
from glintfpga.quant.blink.tables import RECIPROCAL, RSQRT, exp2_table, silu_table
from glintfpga.quant.numbers.gumbel import GUMBEL
from glintfpga.quant.numbers.qformat import QFormat

COBS_AND_ZERO = 2


@pytest.fixture(scope="module")
def wire(tables):
    return tables("protocol.md")


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("kind", protocol.Kind),
        ("data flag", protocol.DataFlag),
        ("op", protocol.Op),
        ("generate flag", protocol.GenerateFlag),
        ("score flag", protocol.ScoreFlag),
        ("hello flag", protocol.HelloFlag),
        ("status", protocol.Status),
        ("self-test", protocol.SelfTest),
        ("reason", protocol.Reason),
    ],
)
def test_codes(wire, table, codes):
    shown = {row[0]: row[1] for row in wire[table]}
    assert shown == {code.name: f"{code:#04x}" for code in codes}


def test_who_sends_a_message(wire):
    first_of_device = protocol.Op.TOKENS
    for name, code, sender, _ in wire["op"]:
        assert sender == ("host" if int(code, 16) < first_of_device else "device"), name


def test_frame_sizes(wire):
    info = HelloInfo(lanes=4, plan=12)
    data = [
        Data(session=1, offset=2, ack=3, credit=4, payload=bytes(size))
        for size in (0, protocol.MAX_PAYLOAD)
    ]
    sizes = [
        len(frame.encode()) - COBS_AND_ZERO for frame in (Hello(1), HelloReply(1, info), *data)
    ]
    shown = [row[3] for row in wire["kind"]]
    assert shown == [str(sizes[0]), str(sizes[1]), f"{sizes[2]} to {sizes[3]}"]


@pytest.mark.quick
def test_body_sizes(wire):
    assert {row[0]: int(row[1]) for row in wire["body"]} == {
        "GENERATE": len(Generate(count=1).encode()),
        "DONE": len(Done(op=1).encode()),
        "COUNTED": len(Counters().encode()),
        "HELLO info": protocol.HELLO_INFO,
        "image header": HEADER_BYTES,
    }


def test_numbers(wire):
    for name, value, _ in wire["number"]:
        assert float(value) == getattr(protocol, name), name


def test_bauds(wire):
    assert [int(baud) for baud in wire["baud index"][0][1:]] == list(protocol.BAUDS)


def test_formats(number_plan):
    for name, twelve, nine, _ in number_plan["tensor"]:
        assert (twelve, nine) == (str(getattr(PLAN12, name)), str(getattr(PLAN9, name))), name
    formats = {name for name, value in vars(PLAN12).items() if isinstance(value, QFormat)}
    assert {row[0] for row in number_plan["tensor"]} == formats


def test_settings(number_plan):
    for name, twelve, nine, _ in number_plan["setting"]:
        assert (int(twelve), int(nine)) == (getattr(PLAN12, name), getattr(PLAN9, name)), name


def test_sizes_of_tables(number_plan):
    shown = {row[0]: int(row[1]) for row in number_plan["table"]}
    assert PRESETS["blink"].window <= 24
    assert shown == {
        "RSQRT": len(RSQRT),
        "RECIPROCAL": len(RECIPROCAL),
        "EXP2": len(exp2_table(PLAN12)),
        "SILU": len(silu_table(PLAN12)),
        "ROPE": 44,
        "GUMBEL": len(GUMBEL),
    }


def test_what_a_device_takes(tables):
    for row in tables("adding-a-board.md")["lanes"]:
        lanes, plan, *shown = map(int, row)
        expected = expected_resources(DeviceConfig(lanes=lanes, plan=plan_of(plan)))
        assert shown == [expected.mult18x18, expected.mult9x9, expected.bsram], row
