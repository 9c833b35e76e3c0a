# SPDX-License-Identifier: MIT
"""Random netlists of every kind of cell."""

import os
import random
from pathlib import Path

import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

CLOCK, FIRST = 3, 4
WIDTHS = (8, 9, 16, 18, 32, 36)
LINES = {8: 11, 9: 11, 16: 10, 18: 10, 32: 9, 36: 9}


class Maker:
    """Adds random cells that read what was there before; register inputs may read anything."""

    def __init__(self, seed, inputs=24):
        self.random = random.Random(seed)
        self.top = FIRST + inputs
        self.inputs = {"clock": (CLOCK,), "data": tuple(range(FIRST, self.top))}
        self.known = list(self.inputs["data"])
        self.cells = []

    def new(self, count=1):
        nets = tuple(range(self.top, self.top + count))
        self.top += count
        return nets

    def any(self, count=1, constants=0.1):
        return tuple(
            self.random.choice((LOW, HIGH, FLOATING))
            if self.random.random() < constants
            else self.random.choice(self.known)
            for _ in range(count)
        )

    def add(self, kind, ports, outs, **parameters):
        name = f"{kind}{len(self.cells)}"
        self.cells.append(Cell(kind, name, ports | outs, parameters))
        self.known += [net for nets in outs.values() for net in nets]

    def cell(self, kind):
        getattr(self, kind.lower())()

    def lut4(self):
        ports = {f"I{i}": self.any() for i in range(4)}
        self.add("LUT4", ports, {"F": self.new()}, INIT=self.random.getrandbits(16))

    def mux2(self):
        self.add("MUX2", {pin: self.any() for pin in ("I0", "I1", "S0")}, {"O": self.new()})

    def alu(self):
        ports = {pin: self.any() for pin in ("A", "B", "C", "D", "CIN")}
        outs = {"SUM": self.new(), "COUT": self.new()}
        self.add("ALU", ports, outs, INIT=self.random.getrandbits(16))

    def dff(self):
        ports = {"D": self.any(), "CLK": (CLOCK,), "CE": self.any(), "SR": self.any()}
        flags = {name: self.random.randrange(2) for name in ("VALUE", "ASYNC")}
        if flags["ASYNC"]:  # its reset from a pin: one from logic would make a loop
            ports["SR"] = (self.random.choice(self.inputs["data"]),)
        self.add("DFF", ports, {"Q": self.new()}, **flags, NEGEDGE=0)

    def mult(self):
        width = self.random.choice((9, 18))
        ports = {"A": self.any(width), "B": self.any(width)}
        ports |= {pin: (self.random.choice((LOW, HIGH)),) for pin in ("ASIGN", "BSIGN")}
        ports |= {"CLK": (CLOCK,), "CE": self.any(), "RESET": (LOW,)}
        names = ("AREG", "BREG", "PIPE_REG", "OUT_REG")
        flags = {name: self.random.randrange(2) for name in names}
        self.add("MULT", ports, {"DOUT": self.new(2 * width)}, WIDTH=width, **flags, ASYNC=0)

    def ram16(self):
        ports = {pin: self.any(4) for pin in ("DI", "WAD", "RAD")}
        ports |= {"WRE": self.any(), "CLK": (CLOCK,)}
        tables = {f"INIT_{i}": self.random.getrandbits(16) for i in range(4)}
        self.add("RAM16", ports, {"DO": self.new(4)}, **tables)

    def bsram(self):
        """B only reads, and other words than A writes: on the chip the same is undefined."""
        ports, outs, values = {}, {}, {}
        for side in "AB":
            width = self.random.choice(WIDTHS)
            address = (*self.any(LINES[width] - 1, constants=0.7), LOW if side == "A" else HIGH)
            ports |= {f"CLK{side}": (CLOCK,), f"CE{side}": self.any(), f"AD{side}": address}
            ports[f"WRE{side}"] = self.any() if side == "A" else (LOW,)
            if side == "A":
                ports["DIA"] = self.any(width)
            outs[f"DO{side}"] = self.new(width)
            values |= {f"WIDTH_{side}": width, f"MODE_{side}": self.random.randrange(3)}
        self.add("BSRAM", ports, outs, **values, INIT=self.random.getrandbits(18432))

    def netlist(self, outputs=40):
        nets = self.random.sample(self.known, min(outputs, len(self.known)))
        return Netlist(tuple(self.cells), self.inputs, {"out": tuple(nets)}, {})


KINDS = ("LUT4", "MUX2", "ALU", "DFF", "MULT", "RAM16", "BSRAM")


@pytest.fixture
def random_netlist():
    def make(seed, count=60, kinds=KINDS):
        maker = Maker(seed)
        weights = [1 if kind in ("MULT", "RAM16", "BSRAM") else 6 for kind in kinds]
        maker.cell("DFF")
        for kind in maker.random.choices(kinds, weights, k=count):
            maker.cell(kind)
        return maker.netlist()

    return make


@pytest.fixture(scope="session")
def chip():
    """The shipped bitstream, decoded, or the one that ``GLINTFPGA_BITSTREAM`` names."""
    pytest.importorskip("apycula", reason="decoding needs the chip database")
    from glintfpga.sim.gowin.decode.bitstream import decode

    if named := os.environ.get("GLINTFPGA_BITSTREAM"):
        return decode(Path(named), board=TANGNANO20K)
    with shipped("tangnano20k").unpacked() as path:
        return decode(path, board=TANGNANO20K)
