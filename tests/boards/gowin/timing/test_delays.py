# SPDX-License-Identifier: MIT
from types import SimpleNamespace

import pytest

from glintfpga.boards.gowin.timing.delays import Delay, Delays
from glintfpga.quant.errors import InputError

TABLES = {
    "wire": {"X0": [0.3, 0.1, 0.4, 0.2], "ISB": [9.0] * 4},
    "glbsrc": {"CENT_SPINE_SCLK": [1.0, 2.0, 1.5, 1.2], "BRANCH_PCLK": [0.5] * 4},
    "fanout": {"FFan": [0.6] * 4, "FFanNum": 3, "X0Fan": [0.2] * 4, "X0FanNum": 4},
    "lut": {"a_f": [0.5, 0.7, 0.6, 0.65]},
}
CLASSES = {
    "wire": "X0",
    "out": "LUT_OUT",
    "long": "LW_SPAN",
    "clock": "GCLK_BRANCH",
    "switch": "ISB",
}


def delays(part="GW2AR-LV18QN88C8/I7"):
    database = SimpleNamespace(
        timing={"C8/I7": TABLES}, wire_delay=CLASSES, nodes={}, segments={}, rows=1, cols=1
    )
    return Delays(database, part=part)


def test_the_largest_of_four_counts_and_the_smallest_for_hold():
    assert delays().of("lut", "a_f") == Delay(0.7, 0.5)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("wire", "hop", "load"),
    [
        ("wire", Delay(0.4, 0.1), 0.2 / 4),
        ("out", Delay(0.0, 0.0), 0.6 / 3),  # a pin costs nothing, what hangs on it does
        ("long", Delay(2.0, 1.0), 0.0),
        ("clock", Delay(0.5, 0.5), 0.0),
        ("switch", None, 0.0),  # in the table, and no number for a hop all the same
        ("unlisted", None, 0.0),
    ],
)
def test_what_a_wire_costs(wire, hop, load):
    found = delays()
    assert (found.hop(wire), found.load(wire)) == (hop, pytest.approx(load))
    assert found.is_long(wire) == (wire == "long")


@pytest.mark.parametrize("part", ["GW2AR-LV18QN88C7/I6", "C8/I7x", ""])
def test_a_grade_without_numbers(part):
    with pytest.raises(InputError, match="no delays for the speed grade"):
        delays(part)
