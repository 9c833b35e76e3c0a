# SPDX-License-Identifier: MIT
"""Each primitive in the vendor's own model, in ours in Icarus, and in the table simulator.

The vendor's simulation library may not be copied: ``GLINTFPGA_PRIM_SIM`` names the user's own,
``IDE/simlib/gw2a/prim_sim.v``. Not here: rPLL, ports of a block RAM that write one word at one
edge, and what the readers refuse (output registers, single bytes, resets of multipliers in use).
"""

import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from glintfpga.sim.gowin.netlist.bitparallel import ALL, BitParallelSim
from glintfpga.sim.gowin.netlist.icarus import icarus_vectors
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW
from glintfpga.sim.gowin.netlist.synthesis import read_synthesis
from glintfpga.sim.gowin.netlist.vendor import VARIABLE, vendor_modules

ROWS = 10_000
OUTPUTS = {"F", "O", "SUM", "COUT", "Q", "DO", "DOA", "DOB", "DOUT"}
CONTROLS = ("CE", "SR", "ASIGN", "BSIGN", "CEA", "WREA", "CEB", "WREB")
CONSTANTS = {LOW: "0", HIGH: "1"}

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")


@dataclass(frozen=True)
class Case:
    """One cell. A pin is a list of signals, "0" and "1", the lowest bit first.

    Parameters are binary digits or a word. Signals "ada" and "adb" are addresses.
    """

    name: str
    kind: str
    parameters: dict
    pins: dict

    @property
    def signals(self):
        """All that drive the cell, in order, without its clock."""
        ins = [bit for pin, bits in self.pins.items() if pin not in OUTPUTS for bit in bits]
        return list(dict.fromkeys(bit for bit in ins if bit not in ("0", "1", "clk")))

    @property
    def outs(self):
        return [bit for pin, bits in self.pins.items() if pin in OUTPUTS for bit in bits]


def bus(name, width):
    return [f"{name}{bit}" for bit in range(width)]


def number(value, digits=32):
    return f"{value:0{digits}b}"


# --- the cells ---


def table(size, seed):
    init = random.Random(seed).getrandbits(1 << size)
    pins = {f"I{at}": [f"i{at}"] for at in range(size)} | {"F": ["f"]}
    return Case(f"LUT{size}-{init:x}", f"LUT{size}", {"INIT": number(init, 1 << size)}, pins)


def carry(mode):
    pins = {pin: [pin.lower()] for pin in ("I0", "I1", "I3", "CIN", "SUM", "COUT")}
    pins |= {"I3": ["0"]} if mode == 9 else {}
    return Case(f"ALU-{mode}", "ALU", {"ALU_MODE": number(mode)}, pins)


def wide_mux(size):
    pins = {pin: [pin.lower()] for pin in ("I0", "I1", "S0", "O")}
    return Case(f"MUX2_LUT{size}", f"MUX2_LUT{size}", {}, pins)


def register(control, *, enable=False, falling=False):
    kind = f"DFF{'N' * falling}{control}{'E' * enable}"
    pins = {"D": ["d"], "CLK": ["clk"], "Q": ["q"]} | ({"CE": ["ce"]} if enable else {})
    if control:
        pins[{"S": "SET", "R": "RESET", "P": "PRESET", "C": "CLEAR"}[control]] = ["sr"]
    return Case(kind, kind, {}, pins)


def small_ram():
    numbers = random.Random(1)
    pins = {pin: bus(pin.lower(), 4) for pin in ("DI", "WAD", "RAD", "DO")}
    flat = {f"INIT_{at}": number(numbers.getrandbits(16), 16) for at in range(4)}
    return Case("RAM16SDP4", "RAM16SDP4", flat, pins | {"WRE": ["wre"], "CLK": ["clk"]})


def multiplier(width, registers, *, ce="ce", signs="11", some=None):
    """``registers`` are the names of those in use; B has ``some`` bits, the others are its sign."""
    names = ("AREG", "BREG", "PIPE_REG", "OUT_REG", "ASIGN_REG", "BSIGN_REG", "SOA_REG")
    parameters = {name: str(int(name in registers)) for name in names}
    b = bus("b", some or width)
    pins = {"A": bus("a", width), "B": b + b[-1:] * (width - len(b)), "DOUT": bus("p", 2 * width)}
    pins |= {"SIA": ["0"] * width, "SIB": ["0"] * width, "ASEL": ["0"], "BSEL": ["0"]}
    pins |= {"ASIGN": [signs[0]], "BSIGN": [signs[1]], "CE": [ce], "CLK": ["clk"], "RESET": ["0"]}
    kind = f"MULT{width}X{width}"
    name = "-".join([kind, *registers, ce, signs, str(some or width)])
    return Case(name, kind, parameters | {"MULT_RESET_MODE": "SYNC"}, pins)


def memory(widths, modes, *, ce=("cea", "ceb"), wre=("wrea", "0"), enabled=None, apart=False):
    """``enabled`` are the bytes that are written, if not all; ``apart``: B has odd rows, A even."""
    nine, two = widths[0] % 9 == 0, widths[1] > 0
    semi = two and max(widths) >= 32
    kind = ("SDP" if semi else "DP" if two else "SP") + ("X9" * nine) + ("B" * two)
    parameters = {"RESET_MODE": "ASYNC"}
    pins = {}
    for side, width, mode, at in zip("AB", widths, modes, range(2), strict=True):
        if not width:
            continue
        count, suffix = width // 8, side if two else ""
        end = str(at) if two else ""
        bytes_ = range(count) if enabled is None else range(enabled)
        bits = [bit for bit in range(width) if bit * count // width in bytes_]
        parameters[f"BIT_WIDTH{'_' + end if two else ''}"] = number(width)
        parameters[f"BLK_SEL{'_' + end if two else ''}"] = "000"
        enables = [str(int(byte in bytes_)) for byte in range(count)] if count > 1 else []
        skip = {1: 3, 2: 4, 4: 5}[count]
        lowest = [str(at)] if apart else []
        address = bus(f"ad{side.lower()}", 14 - skip - len(lowest))
        pins |= {f"BLKSEL{suffix}": ["0"] * 3, f"CLK{suffix}": ["clk"], f"CE{suffix}": [ce[at]]}
        pins[f"AD{suffix}"] = enables + ["0"] * (skip - len(enables)) + lowest + address
        if not semi:
            parameters |= {f"WRITE_MODE{end}": number(mode, 2), f"READ_MODE{end}": "0"}
            pins |= {f"WRE{suffix}": [wre[at]], f"OCE{suffix}": ["1"], f"RESET{suffix}": ["0"]}
        if semi and side == "A" or not semi and wre[at] != "0":
            data = ["0"] * width
            for bit in bits:
                data[bit] = f"di{side.lower()}{bit}"
            pins["DI" if semi else f"DI{suffix}"] = data
        if side == "B" or not semi:
            out = bits if enabled is None else bits[: len(bits)]
            pins["DO" if semi else f"DO{suffix}"] = [f"do{side.lower()}{bit}" for bit in out]
    if semi:
        parameters["READ_MODE"] = "0"
        pins |= {"OCE": ["1"], "RESETA": ["0"], "RESETB": ["0"]}
    numbers = random.Random(5)
    size = 288 if nine else 256
    rows = {f"INIT_RAM_{at:02X}": number(numbers.getrandbits(size), size) for at in range(64)}
    shown = [kind, *(f"{width}m{mode}" for width, mode in zip(widths, modes, strict=True) if width)]
    shown += [*ce[: 1 + two], *wre[: 1 + two], *(["apart"] if apart else [])]
    shown += [f"{enabled}bytes"] if enabled else []
    return Case("-".join(shown), kind, parameters | rows, pins)


def both_write(width, mode):
    return memory((width, width), (mode, mode), wre=("wrea", "wreb"), apart=True)


OTHERS = [
    *(table(size, seed) for size in (1, 2, 3, 4) for seed in range(3)),
    *(carry(mode) for mode in range(10)),
    *(wide_mux(size) for size in (5, 6, 7, 8)),
    *(register(control, enable=on) for control in ("", *"SRPC") for on in (False, True)),
    *(register(control, falling=True) for control in ("", *"SRPC")),
    small_ram(),
    *(multiplier(18, regs) for regs in ((), ("AREG",), ("BREG", "PIPE_REG"), ("OUT_REG",))),
    *(multiplier(18, ("AREG", "BREG", "OUT_REG"), signs=signs) for signs in ("00", "01", "10")),
    multiplier(18, ("AREG", "BREG", "OUT_REG"), ce="1", some=11),
    multiplier(9, ("AREG", "BREG", "OUT_REG")),
    multiplier(9, ("PIPE_REG",), signs="01"),
    *(memory((width, 0), (mode, 0)) for width in (9, 18, 36) for mode in (0, 1, 2)),
    *(memory((width, 0), (mode, 0)) for width, mode in ((8, 2), (16, 1), (32, 2))),
    *(memory((width,) * 2, (mode,) * 2) for width in (9, 18) for mode in (0, 1, 2)),
    *(both_write(width, mode) for width in (9, 18) for mode in (0, 1, 2)),
    *(memory((width,) * 2, (mode,) * 2) for width, mode in ((8, 1), (16, 2), (32, 0))),
    memory((18, 18), (1, 1), ce=("1", "1"), enabled=1),
    *(memory((36, 36), (0, 0), ce=("cea", "1"), enabled=count) for count in (1, 2)),
]
"""What the proof knows; of these the design uses some, by other pins that are tied."""


def case_of(cell):
    """The vendor's primitive for a cell of a netlist, with the same pins tied."""
    facts = cell.parameters

    def tied(pin):
        return CONSTANTS.get(cell.ports.get(pin, (LOW,))[0], pin.lower())

    if cell.kind == "BSRAM":
        return memory(
            (facts["WIDTH_A"], facts["WIDTH_B"]),
            (facts["MODE_A"], facts["MODE_B"]),
            ce=(tied("CEA"), tied("CEB")),
            wre=(tied("WREA"), tied("WREB")),
        )
    if cell.kind == "MULT":
        used = [name for name in ("AREG", "BREG", "PIPE_REG", "OUT_REG") if facts[name]]
        signs = tied("ASIGN") + tied("BSIGN")
        return multiplier(facts["WIDTH"], used, ce=tied("CE"), signs=signs)
    control = {(0, 0): "R", (1, 0): "S", (1, 1): "P", (0, 1): "C"}[facts["VALUE"], facts["ASYNC"]]
    used = "" if tied("SR") == "0" else control
    return register(used, enable=tied("CE") != "1", falling=bool(facts["NEGEDGE"]))


def signature(cell):
    """What makes cells behave alike: all parameters but contents, and which controls are tied."""
    facts = {key: value for key, value in cell.parameters.items() if not key.startswith("INIT")}
    ties = {pin: CONSTANTS.get(cell.ports.get(pin, (LOW,))[0], "used") for pin in CONTROLS}
    return cell.kind, str(sorted(facts.items())), str(ties)


def sorts(netlist):
    """One cell of each sort of register, multiplier and block RAM."""
    kinds = ("DFF", "MULT", "BSRAM")
    return {signature(cell): cell for cell in netlist.cells if cell.kind in kinds}


def document(case):
    """The cell between buffers, as yosys would say it, and a register that has the clock, too."""
    names = [*dict.fromkeys(["clk", *case.signals]), *case.outs]
    nets = {name: 2 + 2 * at for at, name in enumerate(names)} | {"0": "0", "1": "1"}
    ports, cells = {}, {}
    for name in names:
        out = name in case.outs
        ports[name] = {"direction": "output" if out else "input", "bits": [nets[name] + 1]}
        ends = {"I": [nets[name] + (not out)], "O": [nets[name] + out]}
        buffer = {"type": "OBUF" if out else "IBUF", "connections": ends, "parameters": {}}
        cells[f"{name}.buf"] = buffer
    wires = {pin: [nets[bit] for bit in bits] for pin, bits in case.pins.items()}
    cells["cell"] = {"type": case.kind, "connections": wires, "parameters": case.parameters}
    timer = {"D": ["0"], "CLK": [nets["clk"]], "Q": [2 + 2 * len(names)]}
    cells["timer"] = {"type": "DFF", "connections": timer, "parameters": {}}
    return {"modules": {"top": {"ports": ports, "cells": cells, "netnames": {}}}}


# --- random rows ---


def rows_of(case, count=ROWS):
    """A value of each signal in each cycle; addresses from few rows, often the same one."""
    numbers = random.Random(case.name)
    groups = {}
    for name in case.signals:
        groups.setdefault(re.sub(r"\d+$", "", name), []).append(name)
    rows = []
    for _ in range(count):
        words = {}
        for group, names in groups.items():
            limit = 1 << len(names)
            word = numbers.randrange(limit)
            if group in ("ada", "adb"):
                word = numbers.randrange(min(limit, numbers.choice((4, 16, limit))))
                if numbers.random() < 0.4:
                    word = words.get("ada", word) % limit
            elif group in ("a", "b") and numbers.random() < 0.2:
                word = numbers.choice((0, 1, limit // 2, limit // 2 - 1, limit - 1))
            words[group] = word
        rows.append({
            name: words[group] >> bit & 1
            for group, names in groups.items()
            for bit, name in enumerate(names)
        })  # fmt: skip
    return rows


# --- three simulations, from before the first edge on, where all inputs are low ---

_BENCH = """
module bench;
  reg clk = 0, running = 1;
  reg [{top}:0] given, rows [0:{last}];
  wire {outs};
  wire [{wide}:0] shown = {{{shown}}};
  reg [{wide}:0] risen;
  integer row;
  GSR GSR(.GSRI(running));
  {kind} #({parameters}) tested({pins});
  initial begin
    $readmemh("rows.hex", rows);
    #0.2 given = 0; running = 0; #0.2 running = 1;
    #1 $display("%b,%b", shown, shown);
    for (row = 0; row <= {last}; row = row + 1) begin
      given = rows[row];
      #1 clk = 1; #1 risen = shown; clk = 0; #1 $display("%b,%b", risen, shown);
    end
    $finish(0);
  end
endmodule
"""


def in_vendors_model(case, rows, library, folder):
    """Pairs: outputs after the clock has risen, and after it has fallen."""
    at = {name: f"given[{bit}]" for bit, name in enumerate(case.signals)}
    at |= {"0": "1'b0", "1": "1'b1", "clk": "clk"} | {name: name for name in case.outs}
    values = {
        name: f"{len(text)}'b{text}" if set(text) <= set("01") else f'"{text}"'
        for name, text in case.parameters.items()
    }
    pins = {pin: ", ".join(at[bit] for bit in reversed(bits)) for pin, bits in case.pins.items()}
    bench = _BENCH.format(
        top=max(len(case.signals) - 1, 0),
        last=len(rows) - 1,
        outs=", ".join(case.outs),
        shown=", ".join(reversed(case.outs)),
        wide=len(case.outs) - 1,
        kind=case.kind,
        parameters=", ".join(f".{name}({value})" for name, value in values.items()),
        pins=", ".join(f".{pin}({{{nets}}})" for pin, nets in pins.items()),
    )
    text = vendor_modules(library, ("GSR", case.kind)) + bench
    (folder / "bench.v").write_text(text)
    (folder / "rows.hex").write_text("".join(f"{packed(case, row):x}\n" for row in rows))
    compiler = ["iverilog", "-g2012", "-s", "bench", "-o", "b", "bench.v"]
    for command in (compiler, ["vvp", "-n", "b"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [line.split(",") for line in done.stdout.split()]


def packed(case, row):
    return sum(row[name] << bit for bit, name in enumerate(case.signals))


def in_lanes(case, netlist, rows):
    """After the clock has fallen."""
    sim = BitParallelSim(netlist, clk_hz=1e6)
    pads = {name: netlist.inputs[name][0] for name in case.signals}
    outs = [netlist.outputs[name][0] for name in reversed(case.outs)]
    sim.settle()
    lines, before = [], dict.fromkeys(case.signals, 0)
    for row in [None, *rows]:
        if row is not None:
            for name, value in row.items():
                if value != before[name]:
                    sim.set_net(pads[name], ALL * value)
            before = row
            sim.clock()
        lines.append("".join(str(sim.net(net) & 1) for net in outs))
    return lines


def in_our_models(case, netlist, rows):
    """After the clock has risen, not before the first time."""
    names = [name for name, nets in netlist.inputs.items() for _ in nets]
    given = [sum(row.get(name, 0) << at for at, name in enumerate(names)) for row in rows]
    order = [name for name, nets in netlist.outputs.items() for _ in nets]
    places = [order.index(name) for name in reversed(case.outs)]
    return [
        "".join(str(word >> place & 1) for place in places)
        for word in icarus_vectors(netlist, given)
    ]


def wrong(case, library, folder, *, ours=None):
    """What differs from the vendor's model, in words; "" if nothing."""
    netlist = read_synthesis(document(ours or case))
    rows = rows_of(case)
    theirs = in_vendors_model(case, rows, library, folder)
    for name, found, wanted in (
        ("bitparallel.cpp", in_lanes(case, netlist, rows), [low for _, low in theirs]),
        ("models.v", in_our_models(case, netlist, rows), [high for high, _ in theirs[1:]]),
    ):
        assert len(found) == len(wanted)
        xor = sum(one != other for one, other in zip(found, wanted, strict=True))
        if xor:
            return f"{case.name}: {name} differs from the vendor's model in {xor} rows"
    return ""


# --- the tests ---


@pytest.fixture
def library():
    path = os.environ.get(VARIABLE)
    if not path:
        pytest.skip(f"needs a copy of the vendor's library: {VARIABLE}=.../gw2a/prim_sim.v")
    return Path(path)


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.name)
def test_the_readers_take_it(case):
    assert "cell" in [cell.name for cell in read_synthesis(document(case)).cells]


def test_every_cell_of_the_design_has_a_case(chip):
    """Registers, multipliers and block RAMs; LUT4 and carry cells are all among the others."""
    kinds = {cell.kind for cell in chip.netlist.cells}
    assert kinds <= {"LUT4", "ALU", "DFF", "MULT", "BSRAM", "PLL"}
    for sort, cell in sorts(chip.netlist).items():
        again = {signature(one) for one in read_synthesis(document(case_of(cell))).cells}
        assert sort in again, cell.name


@needs_icarus
@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.name)
def test_cells_that_the_proof_knows(case, library, tmp_path):
    assert wrong(case, library, tmp_path) == ""


@needs_icarus
def test_cells_of_the_design(chip, library, tmp_path):
    cases = {case.name: case for case in map(case_of, sorts(chip.netlist).values())}
    assert len(cases) > 5
    assert [text for case in cases.values() if (text := wrong(case, library, tmp_path))] == []


@needs_icarus
@pytest.mark.parametrize(("name", "value"), [("WRITE_MODE0", "00"), ("WRITE_MODE0", "10")])
def test_another_mode_differs(name, value, library, tmp_path):
    ours = memory((18, 18), (1, 1))
    theirs = replace(ours, parameters=ours.parameters | {name: value})
    assert "bitparallel.cpp differs" in wrong(theirs, library, tmp_path, ours=ours)
