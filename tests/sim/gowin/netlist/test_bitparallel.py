# SPDX-License-Identifier: MIT
"""The table simulator against descriptions of each primitive, and against Icarus."""

import random
import shutil

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.icarus import icarus_vectors
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

CLOCK = 3


def single(kind, ports, outs, **parameters):
    """One cell with an input pad a port, and its outputs as pads; a register gives the clock."""
    top, nets, inputs, outputs = 4, {}, {"CLK": (CLOCK,)}, {}
    for name, width in (*ports.items(), *outs.items()):
        nets[name] = tuple(range(top, top + width))
        top += width
        (inputs if name in ports else outputs)[name] = nets[name]
    clocks = {"BSRAM": ("CLKA", "CLKB")}.get(kind, ("CLK",))
    if kind not in ("LUT4", "ALU", "MUX2"):
        nets |= dict.fromkeys(clocks, (CLOCK,))
    timer = Cell(
        "DFF",
        "timer",
        {"D": (LOW,), "CLK": (CLOCK,), "CE": (HIGH,), "SR": (LOW,), "Q": (top,)},
        {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0},
    )
    chip = Netlist((Cell(kind, "cell", nets, parameters), timer), inputs, outputs, {})
    return BitParallelSim(chip, clk_hz=1e6)


def drive(sim, numbers, ports):
    values = {name: numbers.getrandbits(width) for name, width in ports.items()}
    for name, value in values.items():
        sim.poke(name, value)
    return values


def test_table_of_four_inputs():
    ports = {f"I{i}": 1 for i in range(4)}
    for table in (0, 0xFFFF, 0x6996, 0x8001, 0x1234):
        sim = single("LUT4", ports, {"F": 1}, INIT=table)
        for address in range(16):
            for bit in range(4):
                sim.poke(f"I{bit}", address >> bit & 1)
            sim.settle()
            assert sim.peek("F") == table >> address & 1


def test_wide_multiplexer():
    sim = single("MUX2", {"I0": 1, "I1": 1, "S0": 1}, {"O": 1})
    for value in range(8):
        one, two, select = value & 1, value >> 1 & 1, value >> 2
        for name, bit in (("I0", one), ("I1", two), ("S0", select)):
            sim.poke(name, bit)
        sim.settle()
        assert sim.peek("O") == (two if select else one)


@pytest.mark.parametrize("table", [0x6006 | 0x0A, 0x609A, 0x505A, 0x1234, 0xFEDC])
def test_carry_cell(table):
    ports = dict.fromkeys(("A", "B", "C", "D", "CIN"), 1)
    sim = single("ALU", ports, {"SUM": 1, "COUT": 1}, INIT=table)
    for value in range(32):
        for bit, pin in enumerate(ports):
            sim.poke(pin, value >> bit & 1)
        sim.settle()
        high, low, carry = table >> (value & 15) & 1, table >> (value & 3) & 1, value >> 4
        assert sim.peek("SUM") == high ^ carry
        assert sim.peek("COUT") == (carry if high else low)


@pytest.mark.parametrize("flags", range(8))
def test_register(flags):
    value, immediate, falling = flags & 1, flags >> 1 & 1, flags >> 2
    ports = {"D": 1, "CE": 1, "SR": 1}
    sim = single("DFF", ports, {"Q": 1}, VALUE=value, ASYNC=immediate, NEGEDGE=falling)
    numbers = random.Random(flags)
    q = value
    for _ in range(300):
        now = drive(sim, numbers, ports)
        sim.settle()
        if immediate and now["SR"]:
            q = value
        assert sim.peek("Q") == q
        sim.clock()
        q = value if now["SR"] else now["D"] if now["CE"] else q
        assert sim.peek("Q") == q


@pytest.mark.parametrize("width", [9, 18])
@pytest.mark.parametrize("registers", [0, 3, 11, 15, 4, 8])
def test_multiplier(width, registers):
    names = ("AREG", "BREG", "PIPE_REG", "OUT_REG")
    flags = {name: registers >> at & 1 for at, name in enumerate(names)}
    ports = {"A": width, "B": width, "ASIGN": 1, "BSIGN": 1, "CE": 1}
    nets = {name: bits for name, bits in ports.items() if not name.endswith("SIGN")}
    numbers = random.Random(registers)
    for signs in range(4):
        sim = single("MULT", ports, {"DOUT": 2 * width}, WIDTH=width, ASYNC=0, **flags)
        sim.poke("ASIGN", signs & 1)
        sim.poke("BSIGN", signs >> 1)
        a = b = pipe = out = 0

        def product(x, y, signs=signs):
            x -= (x >> (width - 1) & signs & 1) << width
            y -= (y >> (width - 1) & signs >> 1) << width
            return x * y & ((1 << 2 * width) - 1)

        for _ in range(100):
            now = drive(sim, numbers, nets)
            sim.settle()
            x, y = (a if flags["AREG"] else now["A"]), (b if flags["BREG"] else now["B"])
            piped = pipe if flags["PIPE_REG"] else product(x, y)
            assert sim.peek("DOUT") == (out if flags["OUT_REG"] else piped)
            sim.clock()
            if now["CE"]:
                a, b, pipe, out = now["A"], now["B"], product(x, y), piped


@pytest.mark.parametrize("width", [8, 9, 16, 18, 32, 36])
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_block_ram(width, mode):
    numbers = random.Random(width * 10 + mode)
    contents = numbers.getrandbits(18432)
    count, stored = width // 8, 8 if width % 9 else 9
    lines = {1: 11, 2: 10, 4: 9}[count]
    ports = {"CEA": 1, "WREA": 1, "ADA": lines, "DIA": width}
    parameters = {"WIDTH_A": width, "MODE_A": mode, "WIDTH_B": 0, "MODE_B": 0, "INIT": contents}
    sim = single("BSRAM", ports, {"DOA": width}, **parameters)
    cells = [contents >> 9 * byte & 511 for byte in range(2048)]
    shown = 0
    for _ in range(400):
        now = drive(sim, numbers, ports)
        now["ADA"] &= 0b100000011
        sim.poke("ADA", now["ADA"])
        sim.clock()
        first = now["ADA"] * count
        old = sum((cells[first + i] & (1 << stored) - 1) << stored * i for i in range(count))
        if now["CEA"]:
            if not now["WREA"] or mode == 2:
                shown = old
            elif mode == 1:
                shown = now["DIA"]
            for i in range(count * now["WREA"]):
                part = now["DIA"] >> stored * i & (1 << stored) - 1
                cells[first + i] = part | (cells[first + i] >> stored << stored)
        assert sim.peek("DOA") == shown


def test_small_ram():
    ports = {"DI": 4, "WAD": 4, "RAD": 4, "WRE": 1}
    words = [0x1234, 0xFEDC, 0x0F0F, 0x8001]
    sim = single("RAM16", ports, {"DO": 4}, **{f"INIT_{i}": word for i, word in enumerate(words)})
    numbers = random.Random(1)
    for _ in range(300):
        now = drive(sim, numbers, ports)
        sim.settle()
        assert sim.peek("DO") == sum((words[i] >> now["RAD"] & 1) << i for i in range(4))
        sim.clock()
        for bit in range(4 * now["WRE"]):
            mask = 1 << now["WAD"]
            words[bit] = words[bit] & ~mask | mask * (now["DI"] >> bit & 1)


def test_floating_inputs_are_different_in_the_lanes():
    ports = {"I0": (FLOATING,), "I1": (LOW,), "I2": (LOW,), "I3": (LOW,), "F": (5,)}
    timer = {"D": (5,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (6,)}
    flags = {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0}
    cells = (Cell("LUT4", "a", ports, {"INIT": 0xAAAA}), Cell("DFF", "b", timer, flags))
    sim = BitParallelSim(Netlist(cells, {"clk": (3,)}, {"q": (6,)}, {}), clk_hz=1.0)
    sim.reset(floating=0b10)
    sim.clock()
    assert (sim.peek("q"), sim.peek("q", copy=1)) == (0, 1)
    assert {copy: found.cycle for copy, found in sim.noticed.items()} == {1: 1}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")
@pytest.mark.parametrize("seed", range(4))
def test_equals_icarus_on_random_netlists(random_netlist, seed):
    chip = random_netlist(seed, count=50)
    numbers = random.Random(seed)
    rows = [numbers.getrandbits(24) for _ in range(1250)]
    names = [name for name, nets in chip.inputs.items() for _ in nets]
    assert names[0] == "clock"
    for floating in (0, 1):
        sim = BitParallelSim(chip, clk_hz=1e6)
        sim.reset(floating=floating * (2**64 - 1))
        found = []
        for row in rows:
            sim.poke("data", row)
            sim.clock()
            found.append(sim.peek("out"))
        assert found == icarus_vectors(chip, [row << 1 for row in rows], floating=floating)
        assert len(set(found)) > 10


def test_a_loop_is_refused_by_name():
    ports = {"I0": (5,), "I1": (LOW,), "I2": (LOW,), "I3": (LOW,), "F": (5,)}
    timer = {"D": (5,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (6,)}
    flags = {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0}
    cells = (Cell("LUT4", "knot", ports, {"INIT": 0x5555}), Cell("DFF", "b", timer, flags))
    chip = Netlist(cells, {"clk": (3,)}, {"q": (6,)}, {})
    with pytest.raises(InputError, match="'knot'"):
        BitParallelSim(chip, clk_hz=1.0)


def test_unknown_cells_and_missing_clocks_are_refused():
    with pytest.raises(InputError, match="'OSC'"):
        BitParallelSim(Netlist((Cell("OSC", "o", {}, {}),), {}, {}, {}), clk_hz=1.0)
    with pytest.raises(InputError, match="clock"):
        BitParallelSim(Netlist((), {}, {}, {}), clk_hz=1.0)


@pytest.mark.quick
@pytest.mark.parametrize("before", [0, 1])
def test_a_word_that_was_written_is_read_by_the_other_port(before):
    """Wherever a port stands in the simulator's lists: port B keeps looking at the same word."""
    write, data = 4, tuple(range(5, 23))
    zeros = (LOW,) * 10
    top, cells, outputs = 23, [], {}
    for number in range(before):
        pins = {"D": (HIGH,), "CLK": (CLOCK,), "CE": (HIGH,), "SR": (LOW,), "Q": (top,)}
        cells.append(Cell("DFF", f"r{number}", pins, {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0}))
        top += 1
    for number in range(40):
        outputs[f"Q{number}"] = tuple(range(top, top + 18))
        top += 18
        pins = {"CLKA": (CLOCK,), "CEA": (HIGH,), "WREA": (write,), "ADA": zeros, "DIA": data}
        pins |= {"CLKB": (CLOCK,), "CEB": (HIGH,), "WREB": (LOW,), "ADB": zeros}
        pins["DOB"] = outputs[f"Q{number}"]
        sizes = {"WIDTH_A": 18, "MODE_A": 1, "WIDTH_B": 18, "MODE_B": 1}
        cells.append(Cell("BSRAM", f"m{number}", pins, sizes | {"INIT": 0}))
    inputs = {"CLK": (CLOCK,), "WRITE": (write,), "DATA": data}
    sim = BitParallelSim(Netlist(tuple(cells), inputs, outputs, {}), clk_hz=1e6)
    sim.clock(2)
    for word in (0x2A5A5, 0x15A5A):
        sim.poke("DATA", word)
        sim.poke("WRITE", 1)
        sim.clock()
        sim.poke("WRITE", 0)
        sim.clock(2)
        assert [sim.peek(name) for name in outputs] == [word] * 40


def test_what_was_used_since_then():
    """A register that follows a pin, and a LUT that reads both."""
    ports = {"D": (4,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (5,)}
    gate = {"I0": (4,), "I1": (5,), "I2": (LOW,), "I3": (LOW,), "F": (6,)}
    cells = (
        Cell("DFF", "q", ports, {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0}),
        Cell("LUT4", "t", gate, {"INIT": 8}),
    )
    netlist = Netlist(cells, {"clk": (3,), "a": (4,)}, {"p": (6,)}, {})
    sim = BitParallelSim(netlist, clk_hz=1.0)
    table = sim.flat.index["t"]
    sim.settle()
    assert sim.used_entries()[table] == 0b0001
    sim.poke("a", 1)
    sim.clock()
    assert sim.used_entries()[table] == 0b1011
    assert sim.values()[[LOW, HIGH, 4, 5, 6]].tolist() == [False, True, True, True, True]
    sim.clear_used_entries()
    assert sim.used_entries()[table] == 0b1000
    sim.poke("a", 0)
    sim.clock()
    assert sim.used_entries()[table] == 0b1101


def test_a_table_is_excited_where_its_other_entry_is_used():
    """In copy 1 the entry of a and b is another, in copy 2 that of b alone."""
    gate = {"I0": (4,), "I1": (5,), "I2": (LOW,), "I3": (LOW,), "F": (6,)}
    carry = {"A": (4,), "B": (5,), "C": (HIGH,), "D": (LOW,), "CIN": (HIGH,), "COUT": (7,)}
    timer = {"D": (6,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (8,)}
    cells = (
        Cell("LUT4", "t", gate, {"INIT": 8}),
        Cell("ALU", "c", carry, {"INIT": 0}),
        Cell("DFF", "q", timer, {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0}),
    )
    inputs = {"clk": (3,), "a": (4,), "b": (5,)}
    sim = BitParallelSim(Netlist(cells, inputs, {"p": (6, 7)}, {}), clk_hz=1.0)
    at = sim.flat.index
    changes = [(at["t"], 1, 0), (at["t"], 2, 8 | 4), (at["c"], 3, 8), (at["c"], 4, 4)]
    sim.reset(mutations=[lambda sim, one=one: sim.set_table(*one) for one in changes])
    assert sim.activated == 0
    sim.clock()
    assert sim.activated == 0
    sim.poke("a", 1)
    sim.poke("b", 1)
    sim.clock()
    assert sim.activated == 0b01010
    sim.poke("a", 0)
    sim.clock()
    assert sim.activated == 0b11110
