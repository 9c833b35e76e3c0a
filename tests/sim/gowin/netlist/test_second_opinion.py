# SPDX-License-Identifier: MIT
"""Icarus beside the table simulator: equal where the netlist is, and a planted fault is named."""

import random
import shutil
from dataclasses import replace

import numpy as np
import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim.gowin.netlist import icarus
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim, Recording
from glintfpga.sim.gowin.netlist.icarus import icarus_run
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist
from glintfpga.sim.gowin.netlist.second_opinion import compare_icarus, hashes_of, register_bits

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")
CYCLES = 1500


@pytest.fixture
def pair(random_netlist):
    """A random netlist, its simulation and a line that changes at random."""
    chip = random_netlist(7, count=120)
    numbers = np.random.default_rng(7)
    edges = np.flatnonzero(numbers.integers(0, 3, CYCLES) == 0).astype(np.uint64)
    sim = BitParallelSim(chip, clk_hz=1e6, rx="data", tx="out")
    return chip, sim, Recording(edges, edges[:0], CYCLES)


def damaged(chip, cell, name, flip):
    """The netlist with one parameter of one cell changed."""
    changed = replace(cell, parameters=cell.parameters | {name: cell.parameters[name] ^ flip})
    return replace(chip, cells=tuple(changed if one is cell else one for one in chip.cells))


@needs_icarus
def test_the_same_netlist_is_equal(pair):
    chip, sim, recording = pair
    seen = []
    result = compare_icarus(sim, recording, CYCLES, rx="data", progress=seen.append)
    assert result.difference is None
    assert (result.cycles, seen) == (CYCLES, [1000, CYCLES])
    assert result.registers == len(register_bits(chip)) > 100
    assert sim.run(10) == 10, "the line is free again"


@needs_icarus
def test_a_bit_of_a_table_is_noticed(pair):
    chip, sim, recording = pair
    sim.replay(recording)
    sim.reset()
    sim.run(CYCLES)
    used = sim.used_entries()
    noticed = []
    flat = [cell for cell in chip.cells if cell.kind == "LUT4"]
    for cell in random.Random(1).sample(flat, 8):
        addresses = int(used[sim.flat.index[cell.name]])
        fault = damaged(chip, cell, "INIT", addresses & -addresses)
        result = compare_icarus(sim, recording, CYCLES, rx="data", netlist=fault)
        if result.difference is not None:
            noticed.append(result.difference)
            assert result.cycles == result.difference.cycle
            names = {name for name, _ in register_bits(chip)}
            assert result.difference.signals and set(result.difference.signals) <= names
    assert len(noticed) >= 3


@needs_icarus
def test_a_bit_of_a_memory_that_is_never_read_is_noticed_at_the_end():
    pins = {"CLKA": (3,), "CEA": (HIGH,), "WREA": (LOW,), "ADA": (LOW,) * 11, "DOA": range(5, 13)}
    pins |= {"CLKB": (LOW,), "CEB": (LOW,), "WREB": (LOW,), "ADB": ()}
    sizes = {"WIDTH_A": 8, "MODE_A": 0, "WIDTH_B": 0, "MODE_B": 0, "INIT": 0x5A}
    memory = Cell("BSRAM", "memory", {pin: tuple(nets) for pin, nets in pins.items()}, sizes)
    pads = {"clk": (3,), "rx": (4,)}, {"tx": (5,)}
    sim = BitParallelSim(Netlist((memory,), *pads, {}), clk_hz=1e6, rx="rx", tx="tx")
    line = Recording(np.array([3], np.uint64), np.array([], np.uint64), 20)
    assert compare_icarus(sim, line, 20, rx="rx").difference is None
    fault = damaged(sim.flat.netlist, memory, "INIT", 1 << 9000)
    found = compare_icarus(sim, line, 20, rx="rx", netlist=fault).difference
    assert (found.cycle, found.signals) == (20, ("memory (contents)",))


@needs_icarus
@pytest.mark.parametrize("flags", range(8))
def test_registers_of_every_kind(flags):
    value, immediate, falling = flags & 1, flags >> 1 & 1, flags >> 2
    pins = {"D": (5,), "CLK": (3,), "CE": (6,), "SR": (4,), "Q": (7,)}
    kind = {"VALUE": value, "ASYNC": immediate, "NEGEDGE": falling}
    plain = {"CLK": (3,), "CE": (HIGH,), "SR": (LOW,)}
    unused = {"I2": (LOW,), "I3": (LOW,)}
    cells = (
        Cell("DFF", "tested", pins, kind),
        Cell("DFF", "half", plain | {"D": (8,), "Q": (5,)}, dict.fromkeys(kind, 0)),
        Cell("DFF", "third", plain | {"D": (9,), "Q": (6,)}, dict.fromkeys(kind, 0)),
        Cell("LUT4", "not", unused | {"I0": (5,), "I1": (LOW,), "F": (8,)}, {"INIT": 1}),
        Cell("LUT4", "xor", unused | {"I0": (5,), "I1": (6,), "F": (9,)}, {"INIT": 6}),
    )
    chip = Netlist(cells, {"clk": (3,), "rx": (4,)}, {"tx": (7,)}, {})
    sim = BitParallelSim(chip, clk_hz=1e6, rx="rx", tx="tx")
    edges = np.cumsum(np.random.default_rng(flags).integers(1, 9, 60)).astype(np.uint64)
    result = compare_icarus(sim, Recording(edges, edges[:0], 200), 200, rx="rx")
    assert (result.difference, result.registers) == (None, 4)


def test_hashes_are_those_of_the_simulator(random_netlist):
    chip = random_netlist(3)
    sim = BitParallelSim(chip, clk_hz=1e6)
    nets = [net for _, net in register_bits(chip)]
    sim.watch(nets)
    rows, numbers = [], random.Random(3)
    for _ in range(50):
        sim.poke("data", numbers.getrandbits(24))
        sim.clock()
        bits = [sim.net(net) & 1 for net in nets]
        words = [bits[at : at + 64] for at in range(0, len(bits), 64)]
        numbers_ = [sum(bit << at for at, bit in enumerate(word)) for word in words]
        rows.append("".join(f"{word:016x}" for word in numbers_).encode())
    lines = np.frombuffer(b"".join(rows), np.uint8).reshape(50, -1)
    assert np.array_equal(hashes_of(lines), sim.take_hashes())


@needs_icarus
def test_an_undefined_bit_is_a_difference(pair, monkeypatch):
    _, sim, recording = pair
    original = icarus.IcarusRun.lines

    def clouded(self, count):
        lines = original(self, count).copy()
        lines[40, 15] = ord("x")
        return lines

    monkeypatch.setattr(icarus.IcarusRun, "lines", clouded)
    found = compare_icarus(sim, recording, CYCLES, rx="data").difference
    assert found.cycle == 41
    assert set(found.signals) == {name for name, _ in register_bits(sim.flat.netlist)[:4]}


@pytest.mark.quick
def test_without_icarus(random_netlist, monkeypatch):
    monkeypatch.setattr(icarus.shutil, "which", lambda name: None)
    assert not icarus.available()
    with (
        pytest.raises(EnvironmentProblem, match="Icarus is not installed"),
        icarus_run(random_netlist(1), [], [], 1),
    ):
        pass
