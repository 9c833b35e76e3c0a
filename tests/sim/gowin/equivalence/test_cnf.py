# SPDX-License-Identifier: MIT
"""A netlist as a formula is what the simulator makes of it."""

import random
from itertools import product

import pytest

from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula, Frame
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.netlist import FLOATING


def value(formula, literal):
    return (formula.model[abs(literal) - 1] > 0) == (literal > 0)


@pytest.mark.parametrize("seed", range(40))
def test_tables(seed):
    """Any table, of inputs that are constants, the same, or the opposite of each other."""
    numbers = random.Random(seed)
    formula = Formula()
    free = [formula.new(), formula.new()]
    choices = [TRUE, -TRUE, *free, *(-literal for literal in free)]
    inputs = [numbers.choice(choices) for _ in range(4)]
    init = numbers.choice((numbers.getrandbits(16), 0xFF00, 0xAAAA, 0))
    out = formula.lut(init, inputs)
    for bits in product((1, -1), repeat=2):
        assert formula.solve([sign * literal for sign, literal in zip(bits, free, strict=True)])
        address = sum(value(formula, literal) << at for at, literal in enumerate(inputs))
        assert value(formula, out) == bool(init >> address & 1)


@pytest.mark.quick
@pytest.mark.parametrize("seed", range(8))
def test_a_cycle_and_the_next(random_netlist, seed):
    """Given what enters a cycle, the formula has all nets in it and all registers after it."""
    netlist = random_netlist(seed, count=80)
    sim = BitParallelSim(netlist, clk_hz=1.0)
    flat = sim.flat
    numbers = random.Random(seed)
    formula = Formula()
    now = Frame(formula, flat)
    after = now.next_frame()
    logic = {
        net
        for cell in flat.cells
        for port in ("F", "SUM", "COUT")
        for net in cell.ports.get(port, ())
    }
    leaves = [net for net in now.literals if net > 1 and net not in logic]
    compared = 0
    for _ in range(30):
        sim.poke("data", numbers.getrandbits(24))
        sim.settle()
        here = sim.values()
        assert not here[FLOATING]
        given = [now[net] if here[net] else -now[net] for net in leaves]
        assert formula.solve(given)
        for net, literal in now.literals.items():
            assert value(formula, literal) == here[net], f"net {net}"
        sim.clock()
        then = sim.values()
        for cell in flat.cells:
            # One that is set or reset at once depends on what enters the next cycle, too.
            if cell.kind == "DFF" and not cell.parameters["ASYNC"]:
                net = cell.ports["Q"][0]
                assert value(formula, after[net]) == then[net], cell.name
                compared += 1
    assert compared > 100


@pytest.mark.parametrize("seed", range(8))
def test_two_cycles_of_a_simulation_fit(random_netlist, seed):
    """With registers that are set and reset at once: every step that was simulated is one."""
    netlist = random_netlist(seed, count=60, kinds=("DFF", "LUT4", "ALU"))
    sim = BitParallelSim(netlist, clk_hz=1.0)
    numbers = random.Random(seed)
    formula = Formula()
    now = Frame(formula, sim.flat)
    after = now.next_frame()
    assert any(cell.parameters.get("ASYNC") for cell in sim.flat.cells)
    steps = []
    for _ in range(40):
        sim.poke("data", numbers.getrandbits(24))
        sim.settle()
        steps.append(sim.values())
        sim.clock()
    for here, then in zip(steps, steps[1:], strict=False):
        nets = [net for net in now.literals if net > 1]
        given = [now[net] if here[net] else -now[net] for net in nets]
        given += [after[net] if then[net] else -after[net] for net in nets]
        assert formula.solve(given)
        register = next(
            cell for cell in sim.flat.cells if cell.kind == "DFF" and not cell.parameters["ASYNC"]
        ).ports["Q"][0]
        kept = [literal for literal in given if abs(literal) != abs(after[register])]
        assert not formula.solve([*kept, -after[register] if then[register] else after[register]])
