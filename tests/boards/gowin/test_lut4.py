# SPDX-License-Identifier: MIT
import copy
import random
from itertools import product

import pytest

from glintfpga.boards.gowin.lut4 import THROUGH, make_lut4
from glintfpga.quant.errors import InputError


def lut(inputs, table):
    connections = {f"I{at}": [at + 2] for at in range(inputs)} | {"F": [9]}
    return {
        "type": f"LUT{inputs}",
        "parameters": {"INIT": f"{table:0{1 << inputs}b}"},
        "connections": connections,
        "port_directions": {port: "output" if port == "F" else "input" for port in connections},
    }


def netlist(cells):
    bits = {bit for cell in cells.values() for bits in cell["connections"].values() for bit in bits}
    names = {f"n{bit}": {"bits": [bit]} for bit in bits}
    return {"modules": {"top": {"cells": cells, "netnames": names}}}


def output(cell, values):
    """F of a LUT, whose inputs have `values`, I0 first."""
    address = sum(value << at for at, value in enumerate(values))
    return int(cell["parameters"]["INIT"][-1 - address])


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_the_function_stays_whatever_the_open_inputs_read(inputs):
    rng = random.Random(inputs)
    tables = range(1 << (1 << inputs)) if inputs < 3 else rng.sample(range(256), 40)
    for table in tables:
        cell, before = lut(inputs, table), lut(inputs, table)
        assert make_lut4(netlist({"f": cell})) == {"widened": 1, "through": 0}
        assert cell["type"] == "LUT4" and len(cell["parameters"]["INIT"]) == 16
        assert cell["connections"] == before["connections"]
        for values in product((0, 1), repeat=4):
            assert output(cell, values) == output(before, values[:inputs])


def flop(data, out):
    return {
        "type": "DFFRE",
        "parameters": {},
        "connections": {"D": [data], "Q": [out], "CLK": [90]},
        "port_directions": {"D": "input", "Q": "output", "CLK": "input"},
    }


def test_wide_luts_stay():
    cells = {"wide": lut(4, 0x6996), "flop": flop(9, 20)}
    before = copy.deepcopy(cells)
    assert make_lut4(netlist(cells)) == {"widened": 0, "through": 0}
    assert cells == before


@pytest.mark.quick
@pytest.mark.parametrize("data", [7, "0"])
def test_a_register_without_logic_before_it_gets_a_lut(data):
    cells = {"a": flop(data, 20), "b": flop(20, 21), "c": flop(9, 22), "lut": lut(2, 0b0110)}
    assert make_lut4(netlist(cells)) == {"widened": 1, "through": 2}
    for name, was in (("a", data), ("b", 20)):
        through = cells[name + THROUGH]
        assert through["connections"] == {"I3": [was], "F": cells[name]["connections"]["D"]}
        assert through["type"] == "LUT4"
        for values in product((0, 1), repeat=4):
            assert output(through, values) == values[3]
    new = [cells[name]["connections"]["D"][0] for name in "ab"]
    assert len({*new, *range(23), 90}) == 26 and cells["c"]["connections"]["D"] == [9]


def test_long_parameters_are_padded_with_zeros():
    cell = lut(2, 0b0110)
    cell["parameters"]["INIT"] = f"{0b0110:032b}"
    make_lut4(netlist({"f": cell}))
    assert cell["parameters"]["INIT"] == "0110" * 4


@pytest.mark.parametrize("table", ["", "01x0", "10110"])
def test_a_table_that_does_not_fit_is_refused(table):
    cell = lut(2, 0)
    cell["parameters"]["INIT"] = table
    with pytest.raises(InputError, match=r"^the table '.*' of 'f' does not fit a LUT2"):
        make_lut4(netlist({"f": cell}))
