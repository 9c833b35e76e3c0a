# SPDX-License-Identifier: MIT
import copy

import pytest

from glintfpga.boards.gowin.carry import FAULTY, REPAIRED, repair
from glintfpga.quant.errors import InputError


def alu(connections, **parameters):
    return {
        "type": "ALU",
        "parameters": parameters,
        "connections": {port: [at + 2] for at, port in enumerate(connections)},
    }


def chain():
    """A logic carry-in, a constant one, and chain cells as the router writes them."""
    return {
        "sum_HEAD_ALULC": alu(
            ["I0", "I2", "COUT"], CIN_NETTYPE="LOGIC", RAW_ALU_LUT=f"{FAULTY:032b}"
        ),
        "sum": alu(["I0", "I1", "I2", "I3", "CIN", "COUT", "SUM"], ALU_MODE=f"{2:032b}"),
        "sum2": alu(["I0", "I2", "CIN", "SUM"], RAW_ALU_LUT=f"{0x6A9A:032b}", ALU_MODE=f"{2:032b}"),
        "sum_TAIL_ALULC": alu(["CIN", "I2", "SUM"], ALU_MODE="C2L "),
        "sum_DUMMY_ALULC": alu([], ALU_MODE="C2L"),
        "inc_HEAD_ALULC": alu(["I2", "COUT"], ALU_MODE="ONE2C"),
        "lut": {"type": "LUT4", "parameters": {"INIT": "0" * 16}, "connections": {}},
    }


def netlist(cells):
    return {"modules": {"top": {"cells": cells}}}


def carry_out(table, a, b, cin):
    """COUT of a slice with C = D = 1, as the chip computes it."""
    return cin if table >> (12 + 2 * b + a) & 1 else table >> (2 * b + a) & 1


def test_tables():
    inputs = [(a, b) for a in (0, 1) for b in (0, 1)]
    assert all(carry_out(REPAIRED, a, b, cin) == a for a, b in inputs for cin in (0, 1))
    assert any(carry_out(FAULTY, a, b, cin) != a for a, b in inputs for cin in (0, 1))


@pytest.mark.quick
def test_repair():
    design = netlist(chain())
    before = copy.deepcopy(design)
    assert repair(design) == 1
    cells = design["modules"]["top"]["cells"]
    head = cells.pop("sum_HEAD_ALULC")
    assert head["parameters"] == {"CIN_NETTYPE": "LOGIC", "RAW_ALU_LUT": f"{REPAIRED:032b}"}
    del before["modules"]["top"]["cells"]["sum_HEAD_ALULC"]
    assert design == before


def test_repaired_already():
    design = netlist(chain())
    repair(design)
    assert repair(design) == 0


def test_nothing_to_repair():
    cells = chain()
    del cells["sum_HEAD_ALULC"]
    assert repair(netlist(cells)) == 0


@pytest.mark.parametrize(
    "parameters, connections",
    [
        ({"CIN_NETTYPE": "LOGIC", "RAW_ALU_LUT": f"{0x505B:032b}"}, ["I0", "COUT"]),
        ({"CIN_NETTYPE": "LOGIC", "RAW_ALU_LUT": f"{FAULTY:032b}"}, ["I1", "COUT"]),
        ({"CIN_NETTYPE": "LOGIC"}, ["I0", "COUT"]),
        ({"CIN_NETTYPE": "VCC", "ALU_MODE": f"{2:032b}"}, ["I0", "COUT"]),
        ({"ALU_MODE": f"{2:032b}"}, ["I0", "I1", "COUT"]),
        ({"RAW_ALU_LUT": f"{FAULTY:032b}"}, ["I0", "COUT"]),
        ({}, ["COUT"]),
    ],
)
def test_unknown_head_is_refused(parameters, connections):
    cells = chain() | {"odd.head": alu(connections, **parameters)}
    with pytest.raises(InputError, match=r"^carry chain head 'odd\.head' is of an unknown kind"):
        repair(netlist(cells))
