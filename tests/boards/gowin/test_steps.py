# SPDX-License-Identifier: MIT
import json
from types import SimpleNamespace

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal
from amaranth.lib import io, memory

from glintfpga.boards import build as build_module
from glintfpga.boards.build import STEPS, build_design
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import Design, source_digest
from glintfpga.boards.gowin import steps as steps_module
from glintfpga.boards.gowin.bram_signatures import split
from glintfpga.boards.gowin.resources import Resources
from glintfpga.boards.step import PhaseReporter
from glintfpga.quant.errors import InputError

BOARD = board_of("tangnano20k")


class Table(Elaboratable):
    """One LUT RAM of 16 x 4 and a shift register in front of it."""

    def __init__(self, words, length):
        self.words = words
        self.length = length

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.submodules.button = button = io.Buffer("i", platform.request("button", dir="-"))
        m.submodules.led = led = io.Buffer("o", platform.request("led", dir="-"))
        state = Signal(self.length)
        m.d.sync += state.eq((state << 1) | button.i)
        m.submodules.table = table = memory.Memory(shape=4, depth=16, init=self.words)
        read, write = table.read_port(domain="comb"), table.write_port()
        m.d.comb += [read.addr.eq(state), write.addr.eq(state), write.data.eq(state)]
        m.d.comb += [write.en.eq(state[-1]), led.o.eq(read.data.xor())]
        return m


class FakeTools:
    """Tools that write what the next step needs, and count their runs."""

    def __init__(self):
        self.runs = []
        self.versions = {"yosys": "1", "nextpnr": "1", "pack": "1"}
        self.levels = 3
        """LUTs between the netlist's registers."""

    def tool(self, name, act):
        def run(arguments, *, folder, log, on_line=None):
            self.runs.append(name)
            log.write_text("")
            act(folder, arguments)

        return SimpleNamespace(name=name, identity=lambda: f"{name} {self.versions[name]}", run=run)

    def synthesize(self, folder, arguments):
        found = split((folder / "top.il").read_text())[1]
        (table,) = found.values()
        ram = {f"INIT_{at}": f"{value:016b}" for at, value in enumerate(table.values()[0])}
        cells = {
            "table.0.0": cell("RAM16SDP4", "X9Y5/RAM16SDP4", ram),
            "lut": cell("LUT2", "X2Y2/LUT0", {"INIT": "0110"}),
        }
        netlist = {"modules": {"top": {"cells": cells, "netnames": {}}}}
        (folder / "top.syn.json").write_text(json.dumps(netlist))

    def route(self, folder, arguments):
        netlist = json.loads((folder / "top.syn.json").read_text())
        top = netlist["modules"]["top"]
        assert top["cells"]["lut"]["type"] == "LUT4"
        chipdb = arguments[arguments.index("--chipdb") + 1]
        assert (folder / chipdb).read_bytes() == b"delays"
        head = {"CIN_NETTYPE": "LOGIC", "RAW_ALU_LUT": f"{0x505A:032b}"}
        top["cells"]["head"] = cell("ALU", "X4Y4/ALU0", head, {"I0": 100}, {"COUT": 101})
        self.place(top)
        report = {
            "fmax": {"clk": {"achieved": 60.0, "constraint": 54.0}},
            "utilization": {"LUT4": {"used": 7, "available": 20736}},
            "critical_paths": [],
        }
        (folder / "top.pnr.json").write_text(json.dumps(netlist))
        (folder / "report.json").write_text(json.dumps(report))

    def place(self, top):
        """A register, `levels` LUTs in a row, and the register again."""
        tile = "X2Y2"
        at = ["first", *(f"lut{n}" for n in range(self.levels))]
        wires = ["Q0", *(f"F{n % 8}" for n in range(self.levels))]
        top["cells"]["pll"] = cell("rPLL", "X1Y1/RPLLA", outputs={"CLKOUT": 2})
        top["netnames"]["clk"] = net(2, f"{tile}/CLK0;;1")
        last = 10 + self.levels
        ends = {"D": last, "CLK": 2}
        top["cells"]["first"] = cell("DFF", f"{tile}/DFF0", {}, ends, {"Q": 10})
        for number, (name, wire) in enumerate(zip(at, wires, strict=True)):
            to = f"A{number % 8}" if number < self.levels else "XD0"
            pip = f"{tile}/{to};{tile}/{to}/{wire};1"
            top["netnames"][name] = net(10 + number, f"{tile}/{wire};;1;{pip}")
        for number in range(self.levels):
            place, out = f"{tile}/LUT{number % 8}", {"F": 11 + number}
            top["cells"][f"lut{number}"] = cell("LUT4", place, {}, {"I0": 10 + number}, out)

    def pack(self, folder, arguments):
        cells = json.loads((folder / "top.pnr.json").read_text())["modules"]["top"]["cells"]
        ram, head = cells["table.0.0"]["parameters"], cells["head"]["parameters"]
        assert int(head["RAW_ALU_LUT"], 2) == 0x000A
        (folder / "top.fs").write_text("".join(ram[f"INIT_{at}"] + "\n" for at in range(4)))


def cell(kind, place, parameters=None, inputs=None, outputs=None):
    inputs, outputs = inputs or {}, outputs or {}
    return {
        "type": kind,
        "parameters": parameters or {},
        "attributes": {"NEXTPNR_BEL": place},
        "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
        "connections": {port: [bit] for port, bit in (inputs | outputs).items()},
    }


def net(bit, routing):
    return {"bits": [bit], "attributes": {"ROUTING": routing}}


@pytest.fixture
def tools(monkeypatch):
    fake = FakeTools()
    for name, key, act in (
        ("YOSYS", "yosys", fake.synthesize),
        ("NEXTPNR", "nextpnr", fake.route),
        ("GOWIN_PACK", "pack", fake.pack),
    ):
        monkeypatch.setattr(steps_module, name, fake.tool(key, act))
    # The netlist that is placed here is none that a router would make of the other.
    compared = {"untimed_pins": {}, "warnings": ["odd"]}
    monkeypatch.setattr(steps_module, "check_routed", lambda *all, **texts: compared)
    monkeypatch.setattr(build_module, "check_tools", lambda: dict(fake.versions))
    monkeypatch.setattr(steps_module, "chip_database", lambda board: b"delays")
    return fake


WORDS = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3)
OTHER = WORDS[::-1]


def build(out, *, words=WORDS, length=4, seed=1, expected=None, progress=None, clock=54.0):
    design = Design(
        top=lambda: Table(words, length), inputs=(str(words), str(length)), expected=expected
    )
    return build_design(
        design,
        board=BOARD,
        clock_mhz=clock,
        seed=seed,
        name="table",
        out=out,
        facts={"note": "x"},
        progress=progress,
    )


def columns(words):
    return "".join(
        f"{sum((word >> bit & 1) << at for at, word in enumerate(words)):016b}\n"
        for bit in range(4)
    )


def test_words_end_up_in_the_bitstream(tools, tmp_path):
    result = build(tmp_path)
    assert result.bitstream == tmp_path / "table.fs"
    assert result.bitstream.read_text() == columns(WORDS)
    manifest = json.loads(result.manifest.read_text())
    assert manifest["note"] == "x" and manifest["board"] == "tangnano20k"
    assert manifest["tools"] == tools.versions
    report = json.loads(result.report.read_text())
    assert report["carry_heads_repaired"] == 1
    assert report["memories"] == {"top.table": {"depth": 16, "width": 4, "cells": ["table.0.0"]}}
    assert [step["name"] for step in report["steps"]] == list(STEPS)[:-1]
    assert json.loads((tmp_path / "floorplan.json").read_text())["board"] == "tangnano20k"


@pytest.mark.parametrize(
    "change, again",
    [
        ({}, []),
        ({"words": OTHER}, ["pack"]),
        # The fake tools make the same of another seed or length, and so what follows is kept.
        ({"seed": 2}, ["nextpnr"]),
        ({"length": 5}, ["yosys"]),
    ],
)
def test_only_what_depends_on_a_change_runs_again(tools, tmp_path, change, again):
    build(tmp_path)
    tools.runs.clear()
    result = build(tmp_path, **change)
    assert tools.runs == again
    assert result.bitstream.read_text() == columns(change.get("words", WORDS))


@pytest.mark.quick
@pytest.mark.parametrize("name", ["yosys", "nextpnr", "pack"])
def test_a_tool_version_redoes_its_step(tools, tmp_path, name):
    build(tmp_path)
    tools.runs.clear()
    tools.versions[name] = "2"
    build(tmp_path)
    assert tools.runs == [name]


def test_progress(tools, tmp_path):
    events = []
    build(tmp_path, progress=lambda *event: events.append(event))
    assert list(dict.fromkeys(event[0] for event in events)) == list(STEPS)
    fractions = [event[2] for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    assert all(event[3] >= 0 for event in events)
    events.clear()
    build(tmp_path, progress=lambda *event: events.append(event))
    assert ("route", "cached") in [event[:2] for event in events]


def test_a_slow_clock_is_refused(tools, tmp_path):
    tools.levels = 32
    message = (
        r"^the clock of 54 MHz has -?\d+\.\d % of margin, 10 % are wanted: a path from register to "
        r"register, first to first, allows \d+\.\d MHz; try another --seed or a lower --clock-mhz$"
    )
    with pytest.raises(InputError, match=message):
        build(tmp_path)
    assert tools.runs == ["yosys", "nextpnr"]
    assert not (tmp_path / "table.fs").exists()
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert timing["margin"] < 0.1 and timing["paths"][0]["steps"][0]["cell"] == "first"


def test_the_margin_is_a_tenth(tools, tmp_path):
    build(tmp_path)
    limit = json.loads((tmp_path / "timing.json").read_text())["limit_mhz"]
    assert limit / 1.1 > 108.0
    for tools.levels in range(1, 40):
        folder = tmp_path / str(tools.levels)
        try:
            build(folder)
            passed = True
        except InputError:
            passed = False
        limit = json.loads((folder / "timing.json").read_text())["limit_mhz"]
        assert passed == (limit >= 1.1 * 54.0)


def test_resources_are_compared_before_the_route(tools, tmp_path):
    with pytest.raises(InputError, match=r"^synthesis made 0 block RAMs instead of 1"):
        build(tmp_path, expected=Resources(bsram=1, ram16=1))
    assert tools.runs == ["yosys"]


def test_complaints_are_repeated(tools, tmp_path):
    result = build(tmp_path)
    assert result.warnings == ("odd",) and result.facts["warnings"] == ["odd"]


def test_source_digest_is_stable():
    assert source_digest() == source_digest()
    assert source_digest(("quant",)) != source_digest(("boards",))


def test_phases_follow_what_the_tool_prints_and_how_many_lines():
    told = []
    phases = (("begin", "beginning", 0.2, 10), ("Routing..", "routing", 0.6, 4))
    reporter = PhaseReporter(phases, lambda *event: told.append(event))
    lines = ["noise", "Preparing to run x", "we begin", *["..."] * 3, "Routing..", *["at"] * 6]
    for line in lines:
        reporter(line)
    expected = [
        ("Preparing to run x", 0.0),
        *[("beginning", 0.2 + 0.04 * count) for count in range(4)],
        *[("routing", 0.6 + 0.1 * count) for count in range(5)],
    ]
    assert [detail for detail, _ in told] == [detail for detail, _ in expected]
    assert [share for _, share in told] == pytest.approx([share for _, share in expected])
