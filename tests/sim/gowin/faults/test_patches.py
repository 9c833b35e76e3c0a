# SPDX-License-Identifier: MIT
"""Mutants as copies against each mutated netlist on its own, and where two netlists part."""

import random
from dataclasses import replace
from functools import partial

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.faults.patches import differences, overlay, with_buffers
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.compare import compare
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist


def mutate(chip, numbers):
    """A random change of one cell that makes no combinational loop, or a new cell in between."""
    cells = list(chip.cells)
    at = numbers.randrange(len(cells))
    cell = cells[at]
    keys = [key for key in cell.parameters if "WIDTH" not in key and key != "ASYNC"]
    ports = dict(cell.ports)
    kind = numbers.randrange(3)
    if kind == 0 and keys:
        key = numbers.choice(keys)
        size = {"INIT": 18432 if cell.kind == "BSRAM" else 16}.get(key[:4], 1)
        bit = 1 << numbers.randrange(size)
        if key.startswith("MODE"):
            value = (cell.parameters[key] + 1) % 3
        else:
            value = cell.parameters[key] ^ bit
        cells[at] = replace(cell, parameters={**cell.parameters, key: value})
    else:
        inputs = [port for port in ports if port in ("I0", "I1", "A", "B", "D", "DI", "CE", "WREA")]
        if not inputs:
            return mutate(chip, numbers)
        port = numbers.choice(inputs)
        source = numbers.choice(chip.inputs["data"])
        if kind == 2:
            top = 1 + max(net for one in cells for nets in one.ports.values() for net in nets)
            extra = {"I0": (source,), "I1": (chip.inputs["data"][0],), "I2": (LOW,), "I3": (HIGH,)}
            cells.append(Cell("LUT4", "extra", extra | {"F": (top,)}, {"INIT": 0x6969}))
            source = top
        ports[port] = (source, *ports[port][1:])
        cells[at] = replace(cells[at], ports=ports)
    return replace(chip, cells=tuple(cells))


def outputs(chip, rows, copy=0, mutations=(), loops=False):
    sim = BitParallelSim(chip, clk_hz=1.0, loops=loops)
    sim.reset(floating=0, mutations=mutations)
    found = []
    for row in rows:
        sim.poke("data", row)
        sim.clock()
        found.append([sim.peek("out", copy=at) for at in range(copy + 1)])
    return found, sim.noticed


@pytest.mark.parametrize("seed", range(6))
def test_a_lane_is_the_mutant(random_netlist, seed):
    good = with_buffers(random_netlist(seed))
    numbers = random.Random(seed)
    mutants = [mutate(good, numbers) for _ in range(30)]
    tops = [10_000 * (number + 1) for number in range(len(mutants))]
    patches = [
        differences(good, mutant, number=number, first_net=top)
        for number, (mutant, top) in enumerate(zip(mutants, tops, strict=True))
    ]
    chip = overlay(good, patches)
    rows = [numbers.getrandbits(24) for _ in range(300)]
    changes = [partial(patch.apply, copy=copy) for copy, patch in enumerate(patches, 1)]
    together, noticed = outputs(chip, rows, copy=30, mutations=changes, loops=True)
    wrong = set()
    for copy, mutant in enumerate(mutants, 1):
        alone, _ = outputs(mutant, rows)
        first = next((at for at, row in enumerate(rows) if alone[at][0] != together[at][0]), None)
        if first is not None:
            wrong.add(copy)
            assert noticed[copy].cycle == first + 1
        else:
            assert copy not in noticed
    assert wrong == set(noticed)
    assert len(wrong) > 3


def test_a_mutant_without_difference_is_empty(random_netlist):
    good = with_buffers(random_netlist(1))
    assert differences(good, good, number=0, first_net=9999).nothing


@pytest.mark.quick
def test_another_clock_cannot_be_a_lane(random_netlist):
    good = random_netlist(1)
    pll = Cell("PLL", "pll", {"CLKIN": (4,)}, {"FREQUENCY_HZ": 54_000_000})
    other = replace(pll, parameters={"FREQUENCY_HZ": 27_000_000})
    chips = [replace(good, cells=(*good.cells, cell)) for cell in (pll, other)]
    with pytest.raises(InputError, match="27000000"):
        differences(*chips, number=0, first_net=9999)


def echo(*, fault=False):
    """A shift register of six stages from rx to tx, with or without an inverted stage."""
    cells = []
    for stage in range(6):
        ports = {"D": (4 + stage,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (5 + stage,)}
        cells.append(Cell("DFF", f"r{stage}", ports, {"VALUE": 1, "ASYNC": 0, "NEGEDGE": 0}))
    if fault:
        ports = {"I0": (7,), "I1": (LOW,), "I2": (LOW,), "I3": (LOW,), "F": (20,)}
        cells.append(Cell("LUT4", "fault", ports, {"INIT": 0x5555}))
        cells[3] = replace(cells[3], ports={**cells[3].ports, "D": (20,)})
    return Netlist(tuple(cells), {"clk": (3,), "rx": (4,)}, {"tx": (10,)}, {})


def test_a_difference_is_located():
    good, bad = (
        BitParallelSim(echo(fault=fault), clk_hz=1e6, rx="rx", tx="tx") for fault in (0, 1)
    )
    good.set_baud(100_000)
    good.put(b"hello")
    good.run(1000)
    recording = good.recording()
    assert good.get() == b"hello"
    names = {f"r{stage}": f"r{stage}" for stage in range(6)}
    found = compare(good, bad, recording, names)
    assert found.difference is not None
    assert (found.difference.cycle, found.difference.signals) == (1, ("r3",))
    same = compare(good, BitParallelSim(echo(), clk_hz=1e6, rx="rx", tx="tx"), recording, names)
    assert (same.cycles, same.registers, same.difference) == (1000, 7, None)
