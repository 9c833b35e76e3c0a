# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.gowin.tool_warnings import complaints_of
from glintfpga.quant.errors import InputError

ROUTER = "nextpnr-himbaechel"


def test_harmless():
    log = (
        "Info: Reading constraints...\n"
        "Info: Cell O_sdram_clk not found\n"
        "Warning: Failed to route net 'd' from X29Y0/F6 to X29Y1/D2 using dedicated routing.\n"
        "Warning: Max frequency for clock 'clk': 50.12 MHz (FAIL at 54.00 MHz)\n"
        "3 warnings, 0 errors\n"
    )
    assert complaints_of(ROUTER, log) == []
    lexer = "Lexer warning: The SystemVerilog keyword `bit' (at /share/abc9_map.v:35) is not\n"
    assert complaints_of("yosys", lexer) == []
    assert complaints_of("gowin_pack", "\n") == []


def test_others_are_told_once():
    log = "Warning: Something new.\nInfo: warning of nothing\nWarning: Something new.\n"
    assert complaints_of(ROUTER, log) == [f"{ROUTER}: Something new."]
    assert complaints_of("gowin_pack", "Something\n") == ["gowin_pack: Something"]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("tool", "line"),
    [
        ("yosys", "Warning: Wire top.\\x is used but has no driver."),
        ("yosys", "Warning: found logic loop in module top:"),
        ("yosys", "Warning: Replacing memory \\m with list of registers. See top.v:3"),
        (ROUTER, "Warning: Hold/min time violation for clock 'posedge clk':"),
        (ROUTER, "Warning: get_nets argument 'x' matched no objects."),
        (ROUTER, 'Warning: Invalid constraint: NET_LOC "x" BUFG;'),
        (ROUTER, "Warning: No wires found for port X on destination cell y."),
        (ROUTER, "Warning: Failed to find a route for arc 3 of net x."),
        ("gowin_pack", "XXX IO: add PULL_MOD key handle"),
        ("gowin_pack", "X1 Y2 not found in tile 3 4"),
        ("gowin_pack", "Invalid pip: X1Y1/A0/B0"),
        ("gowin_pack", "unknown type NEW"),
        ("gowin_pack", "The 999.0MHz frequency is outside the permissible range of 3-500MHz."),
    ],
)
def test_faults(tool, line):
    with pytest.raises(InputError, match=rf"^{tool} says .*: \w+"):
        complaints_of(tool, f"first\n{line}\nlast\n" if tool != "gowin_pack" else line)
