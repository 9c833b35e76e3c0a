# SPDX-License-Identifier: MIT
"""Tables of docs/ against the code they describe."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from glintfpga.boards.design import expected_resources
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image_format import HEADER_BYTES
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire import hello, protocol
from glintfpga.firmware.wire.frames import Data, Hello, HelloReply, decode_frame
from glintfpga.firmware.wire.messages import Counters, Done, Generate, load
from glintfpga.quant.blink.plan import PLAN9, PLAN12, plan_of
from glintfpga.quant.blink.spec import PRESETS
from glintfpga.quant.blink.tables import RECIPROCAL, RSQRT, exp2_table, silu_table
from glintfpga.quant.numbers.gumbel import GUMBEL
from glintfpga.quant.numbers.qformat import QFormat


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
        ("hello field", hello.HelloField),
        ("machine kind", hello.MachineKind),
        ("family", hello.Family),
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
    short = HelloReply(1, RowFacts().hello()).encode()[:-1]
    least = len(decode_frame(short)) + protocol.CRC_BYTES - len(RowFacts().hello().encode())
    data = [
        Data(session=1, offset=2, ack=3, credit=4, payload=bytes(size))
        for size in (0, protocol.MAX_PAYLOAD)
    ]
    sizes = [
        len(decode_frame(frame.encode()[:-1])) + protocol.CRC_BYTES for frame in (Hello(1), *data)
    ]
    shown = [row[3] for row in wire["kind"]]
    assert shown == [
        str(sizes[0]),
        f"{least + hello.FIXED_BYTES} or more",
        f"{sizes[1]} to {sizes[2]}",
    ]


def test_fixed_part_of_a_hello(wire):
    names = [row[0] for row in wire["fixed part"]]
    described = re.findall(r"^\d+ +(?:u8|x|u32|8s) *(\w*)", hello.__doc__, re.MULTILINE)
    assert [name or "zero" for name in names] == described
    widths = {"u8": 1, "u32": 4, "8 bytes": 8}
    assert sum(widths[row[1]] for row in wire["fixed part"]) == hello.FIXED_BYTES
    assert set(names) - {""} <= set(hello.HelloInfo.__dataclass_fields__)


def test_rates(wire):
    for at, (row, baud) in enumerate(zip(wire["baud"], protocol.BAUDS, strict=True)):
        payload = protocol.payload_limit(baud)
        size = protocol.frame_bytes(payload)
        down = min(payload, protocol.TO_DEVICE_PAYLOAD)
        assert row == [*map(str, (baud, at, payload, down, size)), f"{10_000 * size / baud:.1f}"]


@pytest.mark.quick
def test_body_sizes(wire):
    info = RowFacts().hello()
    with_model = replace(info, image_header=bytes(HEADER_BYTES))
    assert {row[0]: int(row[1]) for row in wire["body"]} == {
        "GENERATE": len(Generate(count=1).encode()),
        "LOAD": len(load(b"image")[0]) - protocol.MESSAGE_HEADER,
        "DONE": len(Done(op=1).encode()),
        "COUNTED": len(Counters().encode()),
        "hello info, fixed part": hello.FIXED_BYTES,
        "hello info of ours without a model": len(info.encode()),
        "hello info of ours with a model": len(with_model.encode()),
        "image header": HEADER_BYTES,
    }


def test_numbers(wire):
    for name, value, _ in wire["number"]:
        assert float(value) == getattr(protocol, name), name


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


def test_the_frame_that_the_protocol_shows():
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"HELLO with nonce 1.*: `([0-9a-f ]+)`", page)
    assert bytes.fromhex(shown) == Hello(1).encode()
