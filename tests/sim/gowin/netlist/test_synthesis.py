# SPDX-License-Identifier: MIT
"""The reader of synthesized netlists, each kind of cell against what its data sheet says."""

import random

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.synthesis import read_synthesis


def document(kind, inputs, outs, **parameters):
    """One cell between buffers, and a register that gives the netlist a clock."""
    cells, ports, wires, top = {}, {}, {}, 2

    def pad(name, direction, width):
        nonlocal top
        for bit in range(width):
            ports[f"{name}{bit}"] = {"direction": direction, "bits": [top]}
            wires.setdefault(name, []).append(top + 1)
            ends = {"I": [top], "O": [top + 1]} if direction == "input" else None
            ends = ends or {"O": [top], "I": [top + 1]}
            buffer = "IBUF" if direction == "input" else "OBUF"
            cells[f"{name}{bit}.buf"] = {"type": buffer, "connections": ends, "parameters": {}}
            top += 2

    for name, width in inputs.items():
        pad(name, "input", width)
    for name, width in outs.items():
        pad(name, "output", width)
    pad("clk", "input", 1)
    clock = wires.pop("clk")
    for name in ("CLK", "CLKA", "CLKB"):
        if parameters.pop(name, False):
            wires[name] = clock
    digits = {
        name: value if isinstance(value, str) else f"{value:032b}"
        for name, value in parameters.items()
    }
    cells["cell"] = {"type": kind, "connections": wires, "parameters": digits}
    timer = {"D": ["0"], "CLK": clock, "Q": [top]}
    cells["timer"] = {"type": "DFF", "connections": timer, "parameters": {}}
    names = {"q": {"hide_name": 0, "bits": [top]}}
    return {"modules": {"top": {"ports": ports, "cells": cells, "netnames": names}}}


def tie(chip, **pins):
    """Give pins of the cell other nets than pads."""
    chip["modules"]["top"]["cells"]["cell"]["connections"] |= pins


def sim_of(*arguments, **parameters):
    return BitParallelSim(read_synthesis(document(*arguments, **parameters)), clk_hz=1e6)


def poke(sim, name, width, value):
    for bit in range(width):
        sim.poke(f"{name}{bit}", value >> bit & 1)


def peek(sim, name, width):
    return sum(sim.peek(f"{name}{bit}") << bit for bit in range(width))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_tables(size):
    table = random.Random(size).getrandbits(1 << size)
    sim = sim_of(f"LUT{size}", {f"I{i}": 1 for i in range(size)}, {"F": 1}, INIT=table)
    for address in range(1 << size):
        for bit in range(size):
            poke(sim, f"I{bit}", 1, address >> bit & 1)
        sim.settle()
        assert peek(sim, "F", 1) == table >> address & 1


ALU = {  # propagate and, where nothing propagates, the carry, for inputs a, b and c (I3)
    0: lambda a, b, c: (a ^ b, a),
    1: lambda a, b, c: (a ^ b ^ 1, a),
    2: lambda a, b, c: (a ^ b ^ 1 ^ c, a),
    3: lambda a, b, c: (a ^ b ^ 1, 1),
    4: lambda a, b, c: (a ^ b ^ 1, a),
    5: lambda a, b, c: (a ^ b ^ 1, b),
    6: lambda a, b, c: (a, 0),
    7: lambda a, b, c: (a ^ 1, 1),
    8: lambda a, b, c: (a if c else a ^ 1, a),
    9: lambda a, b, c: (a & b, a & b),
}
MULT = 9


@pytest.mark.parametrize("mode", ALU)
def test_carry_cells(mode):
    pins = {"I0": 1, "I1": 1, "I3": 1, "CIN": 1}
    chip = document("ALU", pins, {"SUM": 1, "COUT": 1}, ALU_MODE=mode)
    if mode == MULT:
        tie(chip, I3=["0"])
    sim = BitParallelSim(read_synthesis(chip), clk_hz=1e6)
    for value in range(16):
        a, b, c, carry = (value >> at & 1 for at in range(4))
        for name, bit in zip(pins, (a, b, c, carry), strict=True):
            poke(sim, name, 1, bit)
        sim.settle()
        propagate, generated = ALU[mode](a, b, c)
        assert peek(sim, "SUM", 1) == propagate ^ carry
        assert peek(sim, "COUT", 1) == (carry if propagate else generated)


@pytest.mark.parametrize("tied", [{}, {"I3": ["1"]}])
def test_a_carry_cell_that_multiplies_has_no_third_input(tied):
    """A high I3 inverts it in the fuses, and does nothing in the vendor's model."""
    pins = {"I0": 1, "I1": 1, "I3": 1, "CIN": 1}
    chip = document("ALU", pins, {"SUM": 1, "COUT": 1}, ALU_MODE=MULT)
    tie(chip, **tied)
    with pytest.raises(InputError, match="'cell' multiplies with an I3"):
        read_synthesis(chip)


@pytest.mark.parametrize("edge", ["", "N"])
@pytest.mark.parametrize("control", ["", "S", "R", "P", "C"])
@pytest.mark.parametrize("enable", ["", "E"])
def test_registers(edge, control, enable):
    port = {"S": "SET", "R": "RESET", "P": "PRESET", "C": "CLEAR", "": ""}[control]
    pins = {"D": 1} | ({"CE": 1} if enable else {}) | ({port: 1} if port else {})
    sim = sim_of(f"DFF{edge}{control}{enable}", pins, {"Q": 1}, CLK=True)
    value = int(control in ("S", "P")) if control else 0
    q, numbers = value, random.Random(1)
    for _ in range(200):
        now = {name: numbers.randrange(2) for name in pins}
        for name, bit in now.items():
            poke(sim, name, 1, bit)
        sim.settle()
        if control in ("P", "C") and control and now[port]:
            q = value
        assert peek(sim, "Q", 1) == q
        sim.clock()
        q = value if port and now[port] else now["D"] if now.get("CE", 1) else q
        assert peek(sim, "Q", 1) == q


def rows(words, width):
    """INIT_RAM_.. of a block RAM of so many columns."""
    size = 288 if width % 9 == 0 else 256
    digits = f"{sum(word << width * at for at, word in enumerate(words)):0{64 * size}b}"
    parts = [digits[at : at + size] for at in range(0, 64 * size, size)]
    return {f"INIT_RAM_{at:02X}": part for at, part in enumerate(reversed(parts))}


@pytest.mark.parametrize(("kind", "width"), [("SPX9", 9), ("SPX9", 18), ("SP", 8), ("SP", 16)])
def test_block_ram_contents(kind, width):
    numbers, count = random.Random(width), 2048 // (width // 8)
    words = [numbers.getrandbits(width) for _ in range(count)]
    parameters = rows(words, width) | {"BIT_WIDTH": width, "READ_MODE": "0", "WRITE_MODE": "10"}
    chip = document(kind, {"AD": 14, "CE": 1}, {"DO": width}, CLK=True, **parameters)
    constants = {"WRE": ["0"], "DI": ["0"] * 36, "BLKSEL": ["0"] * 3, "RESET": ["0"], "OCE": ["1"]}
    chip["modules"]["top"]["cells"]["cell"]["connections"] |= constants
    sim = BitParallelSim(read_synthesis(chip), clk_hz=1e6)
    poke(sim, "CE", 1, 1)
    for address in numbers.sample(range(count), 100):
        poke(sim, "AD", 14, address * (16384 // count))
        sim.clock()
        assert peek(sim, "DO", width) == words[address]


def test_dual_block_ram_writes_what_it_reads():
    pins = {"ADA": 14, "ADB": 14, "DI": 36}
    parameters = rows([0] * 512, 36) | {"BIT_WIDTH_0": 36, "BIT_WIDTH_1": 36, "READ_MODE": "0"}
    chip = document("SDPX9B", pins, {"DO": 36}, CLKA=True, CLKB=True, **parameters)
    wires = chip["modules"]["top"]["cells"]["cell"]["connections"]
    wires |= {"CEA": ["1"], "CEB": ["1"], "BLKSELA": ["0"] * 3, "RESETB": ["0"]}
    wires["ADA"] = ["1"] * 4 + wires["ADA"][4:]
    sim = BitParallelSim(read_synthesis(chip), clk_hz=1e6)
    for address, word in ((3, 0x123456789), (511, 0xFFFFFFFFF), (0, 1)):
        poke(sim, "ADA", 14, address << 5)
        poke(sim, "DI", 36, word)
        sim.clock()
        poke(sim, "ADB", 14, address << 5)
        poke(sim, "ADA", 14, 100 << 5)
        sim.clock()
        assert peek(sim, "DO", 36) == word


@pytest.mark.parametrize("register", ["", "AREG", "BREG", "PIPE_REG", "OUT_REG"])
def test_a_multiplier_without_registers_has_no_clock(register):
    """As in a bitstream, where no fuse connects it."""
    registers = {name: int(name == register) for name in ("AREG", "BREG", "PIPE_REG", "OUT_REG")}
    chip = document("MULT18X18", {"A": 18, "B": 18}, {"DOUT": 36}, CLK=True, **registers)
    wires = chip["modules"]["top"]["cells"]["cell"]["connections"]
    wires |= {name: ["1"] for name in ("ASIGN", "BSIGN", "CE")}
    wires |= {name: ["0"] for name in ("ASEL", "BSEL", "RESET")}
    cells = {cell.kind: cell for cell in read_synthesis(chip).cells}
    clock, unit = cells["DFF"].ports["CLK"], cells["MULT"]
    assert (unit.ports["CLK"] == clock) == bool(register)
    assert {name: unit.parameters[name] for name in registers} == registers


def test_single_bytes_and_unknown_cells_are_refused():
    pins = {"ADA": 14, "ADB": 14, "DI": 36}
    parameters = rows([0] * 512, 36) | {"BIT_WIDTH_0": 36, "BIT_WIDTH_1": 36, "READ_MODE": "0"}
    chip = document("SDPX9B", pins, {"DO": 36}, CLKA=True, CLKB=True, **parameters)
    wires = chip["modules"]["top"]["cells"]["cell"]["connections"]
    wires |= {"CEA": ["1"], "CEB": ["1"], "BLKSELA": ["0"] * 3}
    with pytest.raises(InputError, match="single bytes"):
        read_synthesis(chip)
    with pytest.raises(InputError, match="'MULT36X36'"):
        read_synthesis(document("MULT36X36", {"A": 1}, {"DOUT": 1}))


@pytest.mark.quick
@pytest.mark.parametrize("damage", [{}, {"modules": {}}, {"modules": {"top": {"cells": {}}}}])
def test_damaged_documents_are_refused(damage):
    with pytest.raises(InputError, match="build it again"):
        read_synthesis(damage)


def test_names_of_wires():
    netlist = read_synthesis(document("LUT1", {"I0": 1}, {"F": 1}, INIT=1))
    assert netlist.wires["q"] in [net for cell in netlist.cells for net in cell.ports.values()]
