# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.gowin.constraints import check_constraints
from glintfpga.quant.errors import InputError

CST = """// Automatically generated.
IO_LOC "clk" 4;
IO_LOC "d[1]" 70;
IO_PORT "d[1]" PULL_MODE=UP;
IO_PORT "q" IO_TYPE=LVCMOS33;
"""
SDC = """# Automatically generated.
create_clock -name clock -period 18.5185     [get_nets {clocks.clock}]
create_clock -name clk27 -period 37.0370     [get_ports {clk}]
"""
LOG = """Info: constraining clock net 'clocks.clk' to 54.00 MHz
Info: constraining clock net 'clk' to 27.00 MHz
"""
REPORT = {"fmax": {"clocks.clk": {"achieved": 73.14, "constraint": 54.0}}}


def buffer(kind, pad, bit, *attributes, strength=5):
    return {
        "type": kind,
        "connections": {pad: [bit]},
        "attributes": {"BEL_STRENGTH": f"{strength:032b}", **dict.fromkeys(attributes, "1")},
    }


def routed(**changed):
    pads = {
        "clk_pad": buffer("IBUF", "I", 2),
        "d0_pad": buffer("IBUF", "I", 3),
        "d1_pad": buffer("IBUF", "I", 4, "&PULL_MODE=UP"),
        "q_pad": buffer("TBUF", "O", 5, "&IO_TYPE=LVCMOS33"),
    }
    ports = {"clk": {"bits": [2]}, "d": {"bits": [3, 4]}, "q": {"bits": [5]}}
    return {"modules": {"top": {"cells": pads | changed, "ports": ports}}}


def check(design=None, report=REPORT, log=LOG, cst=CST, sdc=SDC):
    return check_constraints(design or routed(), report, log, cst=cst, sdc=sdc)


def test_all_applied():
    assert check() == {"clocks.clk": 54.0}
    assert check(report={"fmax": {}}) == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('IO_LOC "e" 71;', "is for a pin that the design does not have"),
        ('IO_PORT "d" PULL_MODE=UP;', "is for a pin that the design does not have"),
        ('IO_PORT "q" DRIVE=8;', r"the router lost the constraint 'IO_PORT \"q\" DRIVE=8;'"),
        ('INS_LOC "ff" R1C1[0][A];', "the router ignores the constraint 'INS_LOC"),
        ('IO_LOC "d[0]" 71', "the router ignores the constraint 'IO_LOC"),
    ],
)
def test_lost_pin_constraint(line, message):
    with pytest.raises(InputError, match=message):
        check(cst=f"{CST}{line}\n")


def test_pad_elsewhere():
    with pytest.raises(InputError, match=r"lost the constraint 'IO_LOC \"clk\" 4;'"):
        check(routed(clk_pad=buffer("IBUF", "I", 2, strength=1)))


@pytest.mark.quick
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"log": LOG.splitlines()[0]}, r"lost the clock constraint .*\{clk\}"),
        ({"log": LOG.replace("54.00", "12.00")}, r"lost the clock constraint .*\{clocks.clock\}"),
        ({"log": ""}, "lost the clock constraint"),
        ({"sdc": SDC + "set_false_path -from a\n"}, "is of an unknown form"),
        ({"sdc": SDC.splitlines()[2]}, "is held against 54 MHz, which no constraint asks for"),
    ],
)
def test_lost_clock_constraint(changed, message):
    with pytest.raises(InputError, match=message):
        check(**changed)
