# SPDX-License-Identifier: MIT
"""A small design with each kind of path, routed: ``python tests/boards/gowin/timing/conftest.py``
makes routed.json.xz anew, the routed netlist and the router's report of every endpoint that it
times.
"""

import json
import lzma
import tempfile
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Signal

from glintfpga.boards.design import Design
from glintfpga.boards.gowin.steps import Steps
from glintfpga.boards.gowin.timing.delays import delays_of
from glintfpga.boards.tangnano20k.board import TANGNANO20K as BOARD
from glintfpga.boards.toolchain import NEXTPNR
from glintfpga.hdl.primitives.memory import ram
from glintfpga.hdl.primitives.multiplier import Multiplier

RECORDED = Path(__file__).parent / "routed.json.xz"
CLOCK_MHZ = 27.0


class Mixed(Elaboratable):
    """Registers, sums, LUTs of all sizes, a block RAM and a multiplier between two pins."""

    def elaborate(self, platform):
        m = Module()
        led, uart = platform.request("led", 0), platform.request("uart", 0)
        past, count, total = Signal(64), Signal(24), Signal(24)
        m.d.sync += [past.eq(Cat(uart.rx.i, past)), count.eq(count + past[:20])]
        m.submodules.multiplier = multiplier = Multiplier(a_width=12, b_width=12)
        m.d.comb += [multiplier.a.eq(count[:12] ^ past[20:32]), multiplier.b.eq(past[3:15])]
        word, write = ram(m, "table", width=18, depth=1024, init=[], address=count[:10])
        m.d.comb += [write.addr.eq(past[:10]), write.data.eq(multiplier.p), write.en.eq(past[40])]
        with m.If(past[41:47] == 5):
            m.d.sync += total.eq(total + word + multiplier.p[6:20])
        m.d.comb += [led.o.eq(total.xor() & count[23]), uart.tx.o.eq(total[20])]
        return m


def route(folder: Path) -> dict:
    """The routed netlist and the router's report, as in `RECORDED`."""
    design = Design(top=Mixed, inputs=("mixed",))
    steps = Steps(design=design, board=BOARD, clock_mhz=CLOCK_MHZ, seed=1, logs=folder)
    results = {}
    for step in steps.in_order():
        if step.name == "route":
            break
        results[step.name] = _Folder(folder / step.name)
        step.make(results[step.name].folder, results, lambda detail, fraction: None)
    for step, name in (
        ("lut4", "top.syn.json"),
        ("elaborate", "top.cst"),
        ("elaborate", "top.sdc"),
    ):
        (folder / name).write_bytes(results[step].path(name).read_bytes())
    arguments = [*steps.route_arguments(), "--detailed-timing-report"]
    NEXTPNR.run(arguments, folder=folder, log=folder / "route.log")
    netlist, report = (
        json.loads((folder / name).read_text()) for name in ("top.pnr.json", "report.json")
    )
    return {"netlist": _without_contents(netlist), "report": report}


class _Folder:
    """Stands for the result of a step."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()

    def path(self, name: str) -> Path:
        return self.folder / name

    def json(self, name: str):
        return json.loads(self.path(name).read_text())


def _without_contents(netlist: dict) -> dict:
    top = netlist["modules"]["top"]
    for cell in top["cells"].values():
        for name in list(cell["parameters"]):
            if name.startswith("INIT_RAM"):
                del cell["parameters"][name]
    kept = {name: top[name] for name in ("cells", "netnames")}
    return {"modules": {"top": kept}}


@pytest.fixture(scope="session")
def delays():
    return delays_of(BOARD)


@pytest.fixture(scope="session")
def routed():
    return json.loads(lzma.decompress(RECORDED.read_bytes()))


@pytest.fixture
def routed_anew(tmp_path):
    """The same from the tools that are installed."""
    return route(tmp_path)


class Placed:
    """A routed netlist by hand: cells at places, nets with their switches."""

    def __init__(self):
        self.cells, self.nets, self._bits = {}, {}, {}

    def bit(self, net):
        return self._bits.setdefault(net, len(self._bits) + 2)

    def cell(self, name, kind, place, *, inputs=None, outputs=None, **parameters):
        inputs, outputs = inputs or {}, outputs or {}
        self.cells[name] = {
            "type": kind,
            "parameters": parameters,
            "attributes": {"NEXTPNR_BEL": place},
            "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
            "connections": {port: [self.bit(net)] for port, net in (inputs | outputs).items()},
        }

    def feeder(self):
        """A register beside a multiplier, whose own input is a constant."""
        self.register("feeder", ("X1Y18", 0), data="nothing", out="factor")
        self.cells["feeder"]["connections"]["D"] = []

    def net(self, name, roots, *pips):
        """`roots` are wires that the driver is on, with blanks between; a pip is tile/to/from."""
        routing = [f"{root};;1" for root in roots.split()]
        routing += [f"{pip.rpartition('/')[0]};{pip};1" for pip in pips]
        self.nets[name] = ";".join(routing)

    def register(self, name, place, *, data, out, clock="clk"):
        tile, number = place
        self.cell(
            name, "DFF", f"{tile}/DFF{number}", inputs={"D": data, "CLK": clock}, outputs={"Q": out}
        )

    def netlist(self):
        names = {
            name: {"bits": [bit], "attributes": {"ROUTING": self.nets.get(name, "")}}
            for name, bit in self._bits.items()
        }
        return {"modules": {"top": {"cells": self.cells, "netnames": names}}}


@pytest.fixture
def placed():
    """A register, a LUT and a register in one tile, fed by a PLL's clock."""
    made = Placed()
    made.cell("pll", "rPLL", "X1Y1/RPLLA", outputs={"CLKOUT": "clk"})
    made.register("first", ("X2Y2", 0), data="second", out="a")
    made.cell("lut", "LUT4", "X2Y2/LUT1", inputs={"I0": "a"}, outputs={"F": "b"}, INIT="10" * 8)
    made.register("last", ("X2Y2", 1), data="b", out="second")
    made.net("clk", "X2Y2/CLK0")
    made.net("a", "X2Y2/Q0", "X2Y2/X01/Q0", "X2Y2/A1/X01")
    made.net("b", "X2Y2/F1", "X2Y2/XD1/F1")
    made.net("second", "X2Y2/Q1", "X2Y2/W200/Q1", "X2Y2/XD0/W200")
    return made


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        text = json.dumps(route(Path(name)), separators=(",", ":"), sort_keys=True)
    RECORDED.write_bytes(lzma.compress(text.encode()))
