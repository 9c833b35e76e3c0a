# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.gowin.untimed import untimed_pins


def cell(kind, inputs=(), outputs=()):
    """A cell whose pins are at nets of the same names, or of the names behind a colon."""
    pins = [(*pin.partition(":")[::2], "input") for pin in inputs]
    pins += [(*pin.partition(":")[::2], "output") for pin in outputs]
    return {
        "type": kind,
        "port_directions": {pin: direction for pin, _, direction in pins},
        "connections": {pin: [net or pin] for pin, net, _ in pins},
    }


def count(**cells):
    sink = cell("IOBUF", ["I:F", "X:DO1", "Y:DO33", "Z:DOA1", "W:DOB1", "V:DOUT0", "U:0"])
    ground = cell("GOWIN_GND", outputs=["G:0"])
    cells = {name.replace("THROUGH", "_passthrough_lut$"): each for name, each in cells.items()}
    return untimed_pins({"modules": {"top": {"cells": {"p": sink, "g": ground, **cells}}}})


@pytest.mark.quick
@pytest.mark.parametrize(
    ("design", "pins"),
    [
        ({"a": cell("LUT4", ["I0", "I3"], ["F"])}, {}),
        ({"a": cell("LUT2", ["I0", "I1"], ["F"])}, {"LUT2": 3}),
        ({"a": cell("LUT2", ["I0", "I1:0"], ["F:unread"])}, {"LUT2": 1}),
        ({"aTHROUGH": cell("LUT4", ["I3"], ["F"])}, {"LUT4 in front of a register": 2}),
        ({"a": cell("DFFNSE", ["D", "CE", "CLK", "SET"], ["Q"])}, {}),
        ({"a": cell("ALU", ["I0", "I1", "I2:0", "I3", "CIN"], ["SUM", "COUT"])}, {}),
        ({"a": cell("SP", ["DI31", "AD13", "WRE"], ["DO1"])}, {}),
        (
            {"a": cell("SDP", ["DI35", "ADB0", "DI31"], ["DO33", "DO34"])},
            {"SDP DI": 1, "SDP DO": 1},
        ),
        (
            {"a": cell("DP", ["ADA0", "ADB0", "ADB13", "DIB3", "CLKB"], ["DOA1", "DOB1"])},
            {"DP ADB": 2, "DP DOB": 1},
        ),
        ({"a": cell("RAM16SDP4", ["DI", "WAD", "RAD", "WRE"], ["DO"])}, {"RAM16SDP4 DI": 1}),
        ({"a": cell("ROM", ["ADB1", "CLKB"], ["DO1"])}, {"ROM ADB": 1, "ROM CLKB": 1, "ROM DO": 1}),
        (
            {"a": cell("MULT18X18", ["A0", "A17", "B1:0", "CE"], ["DOUT0", "DOUT1:unread"])},
            {"MULT18X18 CE": 1},
        ),
        ({"a": cell("rPLL", ["CLKIN"], ["LOCK"]), "b": cell("BUFG", ["I"], ["O"])}, {}),
    ],
)
def test_untimed(design, pins):
    assert count(**design) == pins
