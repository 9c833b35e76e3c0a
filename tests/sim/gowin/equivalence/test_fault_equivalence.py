# SPDX-License-Identifier: MIT
"""What is said to go on as the good chip does so, whatever comes in."""

import random
from functools import partial

import pytest

from glintfpga.sim.gowin.equivalence.fault_equivalence import Equivalence
from glintfpga.sim.gowin.equivalence.invariants import candidates, inductive_clauses
from glintfpga.sim.gowin.faults.patches import (
    Patch,
    Reroute,
    SetState,
    SetTable,
    differences,
    overlay,
    with_buffers,
)
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.flat_netlist import DFF_MODES, FlatNetlist, input_nets
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist

CLK, A, B, W = 3, 4, 5, 6
NEITHER, BOTH, MASKED, Q, HELD, LOOSE = range(10, 16)


def lut(name, nets, out, table):
    nets = [*nets, *[LOW] * (4 - len(nets))]
    ports = {f"I{at}": (net,) for at, net in enumerate(nets)} | {"F": (out,)}
    return Cell("LUT4", name, ports, {"INIT": table})


def register(name, data, out, *, reset=LOW, enable=HIGH):
    ports = {"D": (data,), "CLK": (CLK,), "CE": (enable,), "SR": (reset,), "Q": (out,)}
    return Cell("DFF", name, ports, {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0})


@pytest.fixture(scope="module")
def flat():
    """``both`` reads a and not (a or b), which are never high together; ``masked`` hides b."""
    cells = (
        lut("neither", (A, B), NEITHER, 0x1111),
        lut("both", (A, NEITHER), BOTH, 0x6666),
        lut("masked", (B, NEITHER), MASKED, 0x2222),
        register("q", BOTH, Q),
        register("held", Q, HELD, reset=W),
        lut("loose", (HELD,), LOOSE, 0xAAAA),
    )
    inputs = {"clk": (CLK,), "a": (A,), "b": (B,), "w": (W,)}
    outputs = {"p": (BOTH,), "q": (Q,), "m": (MASKED,), "r": (LOOSE,)}
    return FlatNetlist(Netlist(cells, inputs, outputs, {}), loops=True)


def entry(flat, cell, address):
    table = flat.cells[flat.index[cell]].parameters["INIT"]
    return Patch([SetTable(cell=cell, table=table ^ 1 << address)])


def mode(cell, at, value=1):
    return Patch([SetState(cell=cell, at=at, value=value)])


def test_an_entry_that_nothing_leads_to(flat):
    same = Equivalence(flat)
    assert [same.stays_equal(entry(flat, "both", at)) for at in range(5)] == [0, 0, 0, 1, 1]
    assert [same.stays_equal(entry(flat, "masked", at)) for at in range(4)] == [0, 0, 0, 1]
    assert not same.stays_equal(entry(flat, "loose", 0))


@pytest.mark.quick
def test_clauses_rule_states_out(flat):
    assert not Equivalence(flat).stays_equal(entry(flat, "loose", 1))
    assert Equivalence(flat, [(-HELD,)]).stays_equal(entry(flat, "loose", 1))
    assert not Equivalence(flat, [(-HELD,)]).stays_equal(entry(flat, "loose", 0))


def test_registers_with_other_modes(flat):
    """VALUE, ASYNC and NEGEDGE; only ``held`` can be reset, unless w is known to be low."""
    same, quiet = Equivalence(flat), Equivalence(flat, [(-W,)])
    assert [same.stays_equal(mode("q", at)) for at in range(3)] == [True, True, False]
    assert [same.stays_equal(mode("held", at)) for at in range(3)] == [False, False, False]
    assert [quiet.stays_equal(mode("held", at)) for at in range(3)] == [True, False, False]


def test_a_register_that_is_set_at_once():
    """What resets it comes from a register: then it can be told when others see it."""
    cells = (
        register("w", W, Q),
        register("held", A, HELD, reset=Q),
        lut("shown", (HELD, Q), LOOSE, 0x2222),
        lut("bare", (HELD,), MASKED, 0xAAAA),
    )
    inputs = {"clk": (CLK,), "a": (A,), "w": (W,)}
    for shown, stays_equal in ((LOOSE, True), (MASKED, False)):
        chip = FlatNetlist(Netlist(cells, inputs, {"p": (shown,)}, {}))
        assert Equivalence(chip).stays_equal(mode("held", 1)) == stays_equal


def test_an_input_that_counts_only_in_the_mutant(flat):
    def wired(net, table, *added):
        changes = [
            Reroute(cell="loose", pin=1, net=net),
            SetTable(cell="loose", table=table),
        ]
        return Patch(changes, list(added))

    idle = lut("idle", (), 99, 0)
    same = Equivalence(flat)
    assert not same.stays_equal(wired(W, 0xAAA2))
    assert same.stays_equal(wired(HELD, 0xAAAE)), "the changed entry would need held and not held"
    assert not same.stays_equal(wired(LOOSE, 0xAAA2)), "behind itself: nothing is known"
    assert not same.stays_equal(wired(99, 0xAAA2)), "of a cell that only the mutant has"
    assert same.stays_equal(wired(99, 0xAAA2, idle)), "but of this one it is known"
    assert not same.stays_equal(wired(99, 0xAAA2, lut("idle", (), 99, 0xFFFF)))


def test_what_cannot_be_told_is_not_the_same(flat):
    same = Equivalence(flat)
    for pin, net in ((1, A), (0, CLK)):
        assert not same.stays_equal(Patch([Reroute(cell="q", pin=pin, net=net)]))
    assert not same.stays_equal(mode("nowhere", 0))


def test_contents_alone_change_nothing(random_netlist):
    good = random_netlist(3, kinds=("BSRAM", "RAM16", "MULT", "DFF"))
    same = Equivalence(FlatNetlist(good, loops=True))
    kinds = {cell.kind: cell.name for cell in good.cells}
    assert same.stays_equal(mode(kinds["BSRAM"], 18_431)) and same.stays_equal(
        mode(kinds["RAM16"], 63)
    )
    assert not same.stays_equal(mode(kinds["BSRAM"], 18_432)) and not same.stays_equal(
        mode(kinds["MULT"], 144)
    )


ENABLE, WRITE, PLACE, DATA = (20,), (21,), (22,), (23,)
SHOWN_A, SHOWN_B = range(30, 39), range(40, 49)


@pytest.fixture(scope="module")
def memory():
    """A block RAM behind buffers; of its two outputs only that of B is heard, by p."""
    cells = [
        lut(name, (net,), out, 0xAAAA)
        for name, net, (out,) in (
            *(("enable", A, ENABLE), ("write", B, WRITE)),
            *(("place", W, PLACE), ("data", Q, DATA)),
        )
    ]
    ports = {"CLKA": (CLK,), "CEA": ENABLE, "WREA": WRITE, "ADA": (*PLACE, *[LOW] * 10)}
    ports |= {"CLKB": (CLK,), "CEB": (HIGH,), "WREB": (LOW,), "ADB": (W, *[LOW] * 10)}
    ports |= {"DIA": (*DATA, *[LOW] * 8), "DOA": tuple(SHOWN_A), "DOB": tuple(SHOWN_B)}
    sizes = {"WIDTH_A": 9, "MODE_A": 1, "WIDTH_B": 9, "MODE_B": 1, "INIT": 0}
    cells += [Cell("BSRAM", "ram", ports, sizes), lut("p", (SHOWN_B[0], HELD), NEITHER, 0x8888)]
    inputs = {"clk": (CLK,), "a": (A,), "b": (B,), "w": (W,), "q": (Q,), "h": (HELD,)}
    return FlatNetlist(Netlist(tuple(cells), inputs, {"p": (NEITHER,)}, {}))


@pytest.mark.parametrize(
    "low, same",
    [
        ((), set()),
        ((A,), {"write", "place", "data"}),
        ((B,), {"data"}),
    ],
)
def test_pins_of_a_memory_count_where_it_looks_at_them(memory, low, same):
    """Each reads the opposite; a is its clock enable, b its write enable, these nets are low."""
    shown = Equivalence(memory, [(-net,) for net in low])
    for name in ("enable", "write", "place", "data"):
        change = SetTable(cell=name, table=0x5555)
        assert shown.stays_equal(Patch([change])) == (name in same), name


def test_modes_of_a_memory_count_where_it_is_heard(memory):
    same = Equivalence(memory)
    assert [same.stays_equal(mode("ram", 18_432 + at)) for at in range(4)] == [
        True,
        True,
        False,
        False,
    ]


def test_what_a_memory_says_counts_where_something_takes_it(memory):
    same = Equivalence(memory)
    assert same.is_unobservable(SHOWN_A, [])
    assert not same.is_unobservable(SHOWN_B, [])
    assert same.is_unobservable(SHOWN_B[1:], [])
    assert same.is_unobservable(SHOWN_B, [-same.good[HELD]])
    assert not same.is_unobservable(SHOWN_B, [same.good[HELD]])


def test_a_multiplier_behind_itself():
    """An input that is low when two upper bits of its product differ, as they never do while it is
    the other sign: with it a loop, in which they may.
    """
    outs = tuple(range(50, 68))
    ports = {"A": (A,) * 9, "B": (HIGH, HIGH, *[LOW] * 7), "ASIGN": (HIGH,), "BSIGN": (HIGH,)}
    ports |= {"CLK": (CLK,), "CE": (HIGH,), "RESET": (LOW,), "DOUT": outs}
    flags = dict.fromkeys(("AREG", "BREG", "PIPE_REG", "OUT_REG", "ASYNC"), 0)
    cells = (
        Cell("MULT", "m", ports, {"WIDTH": 9, **flags}),
        lut("n", (A, outs[9], outs[17]), NEITHER, 0xBEBE),
        register("q", outs[17], Q),
        lut("p", (Q,), LOOSE, 0xAAAA),
    )
    chip = FlatNetlist(Netlist(cells, {"clk": (CLK,), "a": (A,)}, {"p": (LOOSE,)}, {}), loops=True)
    patch = Patch([Reroute(cell="m", pin=8, net=NEITHER)])
    assert not Equivalence(chip).stays_equal(patch)


def test_contents_and_modes_are_never_the_same(flat, memory):
    same = Equivalence(flat)
    assert same.stays_equal(mode("q", 0)) and not same.is_equivalent(mode("q", 0))
    assert same.is_equivalent(entry(flat, "both", 3)) and not same.is_equivalent(
        entry(flat, "both", 0)
    )
    assert not Equivalence(memory).is_equivalent(mode("ram", 0))


def any_patch(flat, numbers):
    """A table with another bit, a pin that reads any net or one that nothing drives, a mode."""
    at = numbers.randrange(len(flat.cells))
    cell = flat.cells[at]
    kind = numbers.randrange(3)
    if cell.kind in ("LUT4", "ALU") and kind:
        return entry(flat, cell.name, numbers.randrange(16))
    if cell.kind == "DFF" and kind:
        key = numbers.choice(("VALUE", "ASYNC", "NEGEDGE"))
        return mode(cell.name, DFF_MODES.index(key), 1 - cell.parameters[key])
    pin = numbers.randrange(len(input_nets(cell)))
    nets = [net for one in flat.cells for net in input_nets(one)]
    return Patch([Reroute(cell=cell.name, pin=pin, net=numbers.choice(nets))])


@pytest.mark.parametrize("floating", [0, (1 << 64) - 1])
@pytest.mark.parametrize("seed", range(16))
def test_no_run_refutes_it(random_netlist, seed, floating):
    """Random faults of random circuits: once alike, those that last are alike for ever."""
    kinds = ("LUT4", "MUX2", "ALU", "DFF") + ("MULT", "RAM16", "BSRAM") * (seed % 2)
    good = with_buffers(random_netlist(seed, kinds=kinds))
    numbers = random.Random(seed)
    flat = FlatNetlist(good, loops=True)
    patches = [any_patch(flat, numbers) for _ in range(63)]
    sim = BitParallelSim(overlay(good, patches), clk_hz=1.0, loops=True)
    sim.reset(
        floating=floating,
        mutations=[partial(patch.apply, copy=1 + at) for at, patch in enumerate(patches)],
    )
    sim.settle()
    state = dict(enumerate(sim.values().tolist()))
    clauses = candidates(flat, sim.used_entries().tolist(), state)
    same = Equivalence(flat, inductive_clauses(flat, clauses, [state]))
    lasting = [at for at, patch in enumerate(patches, 1) if same.stays_equal(patch)]
    alike, refuted = set(), []
    for _ in range(200):
        different, noticed = sim.differing, set(sim.noticed)
        refuted += [at for at in alike if different >> at & 1 or at in noticed]
        alike |= {at for at in lasting if not different >> at & 1 and at not in noticed}
        sim.poke("data", numbers.getrandbits(24))
        sim.clock()
    assert not refuted
    assert alike and sim.noticed


def test_a_decoded_difference(flat):
    """`differences` of two netlists is read as well as what a planter makes."""
    good = flat.netlist
    cells = [
        lut("masked", (B, NEITHER), MASKED, 0xAAAA) if cell.name == "masked" else cell
        for cell in good.cells
    ]
    bad = Netlist(tuple(cells), good.inputs, good.outputs, {})
    patch = differences(good, bad, number=0, first_net=99)
    assert Equivalence(flat).stays_equal(patch)
