# SPDX-License-Identifier: MIT
"""What is said never to happen never does, and chance is told from law."""

import random

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.fault_equivalence import Equivalence
from glintfpga.sim.gowin.equivalence.invariants import (
    activation_clauses,
    candidates,
    inductive_clauses,
)
from glintfpga.sim.gowin.faults.patches import Patch, SetTable
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist

CLK, KEY = 3, 4
LOW_BIT, HIGH_BIT, PRESSED, NEXT_LOW, NEXT_HIGH, BOTH, SHOWN, PAIR = range(5, 13)
TOGETHER = (-HIGH_BIT, -LOW_BIT)


def register(name, data, out, value=0):
    ports = {"D": (data,), "CLK": (CLK,), "CE": (HIGH,), "SR": (LOW,), "Q": (out,)}
    return Cell("DFF", name, ports, {"VALUE": value, "ASYNC": 0, "NEGEDGE": 0})


def lut(name, nets, out, function):
    nets = [*nets, *[LOW] * (4 - len(nets))]
    table = sum(bool(function(*(at >> pin & 1 for pin in range(4)))) << at for at in range(16))
    ports = {f"I{at}": (net,) for at, net in enumerate(nets)} | {"F": (out,)}
    return Cell("LUT4", name, ports, {"INIT": table})


@pytest.fixture(scope="module")
def sim():
    """A counter 0, 1, 2, 0, ..., which is never 3; and a key, which nobody pressed."""
    return BitParallelSim(
        Netlist(
            (
                register("low", NEXT_LOW, LOW_BIT),
                register("high", NEXT_HIGH, HIGH_BIT),
                register("pressed", KEY, PRESSED),
                lut("next_low", (LOW_BIT, HIGH_BIT), NEXT_LOW, lambda a, b, c, d: not (a or b)),
                lut("next_high", (LOW_BIT,), NEXT_HIGH, lambda a, b, c, d: a),
                lut("both", (LOW_BIT, HIGH_BIT), BOTH, lambda a, b, c, d: a and b),
                lut("pair", (PRESSED, LOW_BIT), PAIR, lambda a, b, c, d: a and b),
                lut("shown", (BOTH, PAIR), SHOWN, lambda a, b, c, d: a or b),
            ),
            {"clk": (CLK,), "key": (KEY,)},
            {"shown": (SHOWN,)},
            {},
        ),
        clk_hz=1.0,
    )


def found(sim, cycles):
    sim.reset()
    sim.settle()
    state = dict(enumerate(sim.values().tolist()))
    sim.clear_used_entries()
    sim.clock(cycles)
    flat = sim.flat
    said = candidates(flat, sim.used_entries().tolist(), state)
    return said, inductive_clauses(flat, said, [state])


def test_law_and_chance(sim):
    said, law = found(sim, 50)
    assert {TOGETHER, (-BOTH,), (-PRESSED,)} <= set(said)
    assert TOGETHER in law and (-BOTH,) in law
    assert not any({abs(literal) for literal in clause} <= {PRESSED} for clause in law)
    assert (-PAIR,) in said and (-PAIR,) not in law


def test_what_only_time_has_not_shown_yet_falls(sim):
    """After no cycle at all nothing but the first state was seen."""
    said, law = found(sim, 0)
    assert (-LOW_BIT,) in said and (-HIGH_BIT,) in said
    assert (-LOW_BIT,) not in law and (-HIGH_BIT,) not in law
    assert TOGETHER in law


def test_a_state_in_which_a_clause_does_not_hold(sim):
    """From 3 the counter would go on to 2: it was 3 once."""
    said, _ = found(sim, 50)
    high = dict.fromkeys((HIGH, LOW_BIT, HIGH_BIT, BOTH), True)
    state = dict.fromkeys(range(20), False) | high
    law = inductive_clauses(sim.flat, said, [state])
    assert TOGETHER not in law and (-BOTH,) not in law


def test_what_a_fault_needs_is_followed_back_through_a_pipeline():
    """Two registers per bit, the last one inverted: low and high bit were together before."""
    lows, highs, inverted = (20, 21), (22, 23), 24
    cells = (
        register("low", NEXT_LOW, LOW_BIT),
        register("high", LOW_BIT, HIGH_BIT),
        lut("next_low", (LOW_BIT, HIGH_BIT), NEXT_LOW, lambda a, b, c, d: not (a or b)),
        register("low0", LOW_BIT, lows[0]),
        register("low1", lows[0], lows[1]),
        register("high0", HIGH_BIT, highs[0]),
        lut("not", (highs[0],), inverted, lambda a, b, c, d: not a),
        register("high1", inverted, highs[1], value=1),
        lut("shown", (lows[1], highs[1]), SHOWN, lambda a, b, c, d: b),
    )
    flat = FlatNetlist(Netlist(cells, {"clk": (CLK,)}, {"shown": (SHOWN,)}, {}))
    own = flat.cells[flat.index["shown"]].parameters["INIT"]
    patch = Patch([SetTable(cell="shown", table=own ^ 1 << 1)])
    clauses = activation_clauses(flat, [patch])
    assert (-lows[1], highs[1]) in clauses and TOGETHER in clauses
    assert tuple(sorted((-lows[0], -highs[0]))) in clauses
    state = dict.fromkeys(range(30), False)
    state |= {HIGH: True, NEXT_LOW: True, inverted: True, highs[1]: True, SHOWN: True}
    law = inductive_clauses(flat, clauses, [state])
    assert {(-lows[1], highs[1]), TOGETHER} <= set(law)
    assert Equivalence(flat, law).stays_equal(patch) and not Equivalence(flat).stays_equal(patch)


def test_what_a_pad_can_bring_about_at_once():
    """`state` has the key up, and the table of ``direct`` never saw it down; a cycle might."""
    cells = (
        register("low", LOW_BIT, LOW_BIT),
        lut("direct", (KEY, LOW_BIT), SHOWN, lambda a, b, c, d: a and not b),
        lut("inductive_clauses", (KEY, LOW_BIT), PAIR, lambda a, b, c, d: a and b),
    )
    flat = FlatNetlist(Netlist(cells, {"clk": (CLK,), "key": (KEY,)}, {"p": (SHOWN, PAIR)}, {}))
    state = dict.fromkeys(range(20), False) | {HIGH: True}
    said = [(-SHOWN,), (-PAIR,), (-KEY,), (-KEY, -LOW_BIT), (-LOW_BIT,)]
    assert inductive_clauses(flat, said, [state]) == [(-PAIR,), (-KEY, -LOW_BIT), (-LOW_BIT,)]


@pytest.mark.parametrize("value", [0, 1])
def test_a_register_that_a_pad_sets_at_once(value):
    ports = {"D": (LOW,), "CLK": (CLK,), "CE": (HIGH,), "SR": (KEY,), "Q": (LOW_BIT,)}
    cells = (
        Cell("DFF", "q", ports, {"VALUE": value, "ASYNC": 1, "NEGEDGE": 0}),
        lut("shown", (LOW_BIT,), SHOWN, lambda a, b, c, d: a),
    )
    flat = FlatNetlist(Netlist(cells, {"clk": (CLK,), "key": (KEY,)}, {"p": (SHOWN,)}, {}))
    state = dict.fromkeys(range(20), False) | {HIGH: True}
    assert inductive_clauses(flat, [(-LOW_BIT,)], [state]) == ([] if value else [(-LOW_BIT,)])


@pytest.mark.quick
@pytest.mark.parametrize("seed", range(6))
def test_never_is_never(random_netlist, seed):
    """Laws of short runs of random circuits hold in long ones."""
    numbers = random.Random(seed)
    sim = BitParallelSim(random_netlist(seed, count=50), clk_hz=1.0)
    sim.settle()
    state = dict(enumerate(sim.values().tolist()))
    sim.clear_used_entries()
    flat = sim.flat
    said = candidates(flat, sim.used_entries().tolist(), state)
    law = inductive_clauses(flat, said, [state])
    assert said

    def holds():
        here = sim.values()
        return all(any((net > 0) == here[abs(net)] for net in clause) for clause in law)

    for _ in range(300):
        sim.poke("data", numbers.getrandbits(24))
        sim.settle()
        assert holds(), "what pads hear now, in the state of before"
        sim.clock()
        assert holds()
    assert len(law) < len(said)


def test_what_follows_a_pad_without_waiting_for_a_clock():
    """Its address is a pad: what the memory says now, it need not say in the same state."""
    ports = {"DI": (LOW,) * 4, "WAD": (LOW,) * 4, "WRE": (LOW,), "CLK": (CLK,)}
    ports |= {"RAD": (KEY, LOW, LOW, LOW), "DO": (20, 21, 22, 23)}
    cells = (
        register("low", LOW_BIT, LOW_BIT),
        Cell("RAM16", "m", ports, {"INIT_0": 2, "INIT_1": 0, "INIT_2": 0, "INIT_3": 0}),
    )
    flat = FlatNetlist(Netlist(cells, {"clk": (CLK,), "key": (KEY,)}, {"p": (20,)}, {}))
    state = dict.fromkeys(range(24), False) | {HIGH: True}
    assert inductive_clauses(flat, [(-20,), (-LOW_BIT,)], [state]) == [(-LOW_BIT,)]


def test_no_cycle_at_all(sim):
    clocked = Netlist((register("q", CLK, LOW_BIT),), {"clk": (CLK,)}, {"p": (LOW_BIT,)}, {})
    with pytest.raises(InputError, match="the clock is read as data"):
        inductive_clauses(FlatNetlist(clocked), [(LOW_BIT,)], [{LOW_BIT: True}])
    with pytest.raises(InputError, match="leave no cycle"):
        Equivalence(sim.flat, [(LOW_BIT,), (-LOW_BIT,)])


@pytest.mark.parametrize("data", [KEY, HIGH])
def test_a_register_that_resets_itself_at_once(data):
    """It takes what comes and is low again before the next edge: nothing is known of it, and so
    nothing of another register that takes the same.
    """
    once = Cell(
        "DFF",
        "once",
        {"D": (data,), "CLK": (CLK,), "CE": (HIGH,), "SR": (LOW_BIT,), "Q": (LOW_BIT,)},
        {"VALUE": 0, "ASYNC": 1, "NEGEDGE": 0},
    )
    cells = (once, register("pressed", data, PRESSED), lut("shown", (PRESSED,), SHOWN, bool_of))
    netlist = Netlist(cells, {"clk": (CLK,), "key": (KEY,)}, {"p": (SHOWN,), "q": (LOW_BIT,)}, {})
    sim = BitParallelSim(netlist, clk_hz=1.0)
    state = dict(enumerate(sim.values().tolist()))
    assert inductive_clauses(sim.flat, [(-PRESSED,)], [state]) == []


def bool_of(a, b, c, d):
    return a
