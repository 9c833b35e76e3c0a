# SPDX-License-Identifier: MIT
import copy

import pytest

from glintfpga.boards.gowin.pins import compare_pins
from glintfpga.quant.errors import InputError


def cell(kind, inputs, outputs, **parameters):
    return {
        "type": kind,
        "parameters": parameters,
        "connections": {port: [bit] for port, bit in (inputs | outputs).items()},
        "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
    }


def netlist(cells, **ports):
    return {
        "modules": {
            "top": {
                "cells": cells,
                "ports": {
                    name: {"bits": [bit], "direction": "output" if name == "q" else "input"}
                    for name, bit in ports.items()
                },
            }
        }
    }


def synthesized():
    """q = register of (a and constant 1)."""
    return netlist(
        {
            "lut": cell("LUT2", {"I0": 2, "I1": "1"}, {"F": 3}, INIT="1000"),
            "reg": cell("DFF", {"D": 3, "CLK": 4}, {"Q": 5}),
        },
        a=2,
        clk=4,
        q=5,
    )


def routed():
    """The same with other numbers, a LUT in front of the register, and a clock buffer."""
    cells = {
        "lut": cell("LUT4", {"I0": 20}, {"F": 30}, INIT="10" * 8),
        "reg_passthrough_lut$": cell("LUT4", {"I3": 30}, {"F": 31}, INIT="1" * 8 + "0" * 8),
        "clk_BUFG": cell("BUFG", {"I": 40}, {"O": 41}),
        "reg": cell("DFF", {"D": 31, "CLK": 41}, {"Q": 50}),
    }
    return netlist(cells, a=20, clk=40, q=50)


def change(edit):
    after = copy.deepcopy(routed())
    edit(after["modules"]["top"]["cells"])
    return after


def connect(name, port, bit):
    return lambda cells: cells[name]["connections"].update({port: [bit]})


def test_cells_in_between_and_constants_in_tables():
    assert compare_pins(synthesized(), routed(), ["lut", "reg"]) == 5


@pytest.mark.quick
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (connect("reg", "D", 20), r"pin D\[0\] of cell 'reg'.* to the port a\[0\]"),
        (connect("clk_BUFG", "I", 30), r"pin CLK\[0\] of cell 'reg'.* to F\[0\] of 'lut'"),
        (connect("lut", "I0", 99), r"pin I0\[0\] of cell 'lut'.* to nothing"),
        (
            lambda cells: cells["lut"]["parameters"].update(INIT="01" * 8),
            "changed the table of cell 'lut' from 0x8 to 0x5555",
        ),
        (
            # Equal where I1 is 0, which it never is: the rows with a 1 count.
            lambda cells: cells["lut"]["parameters"].update(INIT="0000"),
            "changed the table",
        ),
    ],
)
def test_a_change_is_named(edit, message):
    with pytest.raises(InputError, match=message):
        compare_pins(synthesized(), change(edit), ["lut", "reg"])


def test_rows_of_a_table_that_are_never_reached_may_differ():
    after = change(lambda cells: cells["lut"]["parameters"].update(INIT="1001"))
    assert compare_pins(synthesized(), after, ["lut", "reg"]) == 5
