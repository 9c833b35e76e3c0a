# SPDX-License-Identifier: MIT
"""What a campaign calls equal, on a chip so small that every fault's fate is known."""

from functools import partial

import numpy as np
import pytest

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.faults import campaign as module
from glintfpga.sim.gowin.faults.campaign import run_batch
from glintfpga.sim.gowin.faults.mutants import Mutant, classify
from glintfpga.sim.gowin.faults.patches import (
    Patch,
    Reroute,
    SetState,
    SetTable,
    overlay,
    with_buffers,
)
from glintfpga.sim.gowin.faults.result import CampaignResult
from glintfpga.sim.gowin.faults.sampler import sampled_bytes
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

CLK, RX, KEY = 3, 4, 5
STEPS = (6, 7, 8)
BOOT, ADDRESS, TX, KEPT, ECHO, SHOWN = range(9, 15)
BOOTED, LATE = range(20, 29), range(30, 39)
QUIET_CYCLES = 200
BOTH = {(QUIET_CYCLES, False), (QUIET_CYCLES, True)}
"""Cycle and what floating inputs read."""


def register(name, data, out, *, enable=HIGH):
    ports = {"D": (data,), "CLK": (CLK,), "CE": (enable,), "SR": (LOW,), "Q": (out,)}
    return Cell("DFF", name, ports, {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0})


def lut(name, nets, out, function):
    nets = [*nets, *[LOW] * (4 - len(nets))]
    table = sum(bool(function(*(at >> pin & 1 for pin in range(4)))) << at for at in range(16))
    return Cell(
        "LUT4",
        name,
        {f"I{at}": (net,) for at, net in enumerate(nets)} | {"F": (out,)},
        {"INIT": table},
    )


def memory(name, address, write, out):
    ports = {"CLKA": (CLK,), "CEA": (HIGH,), "WREA": (write,), "DIA": (LOW,) * 9}
    ports |= {"ADA": (address, *[LOW] * 10), "DOA": tuple(out)}
    sizes = {"WIDTH_A": 9, "MODE_A": 1, "WIDTH_B": 0, "MODE_B": 0, "INIT": 0}
    return Cell("BSRAM", name, ports, sizes)


@pytest.fixture(scope="module")
def chip():
    """Its memory ``booted`` is written at address 0 in the second cycle, before which a register
    has taken bit 1 of it; later rx = 0 reads address 1. ``late`` is written when rx falls first.
    What both registers hold is shown when there is a key.
    """
    return with_buffers(
        Netlist(
            (
                register("step0", HIGH, STEPS[0]),
                register("step1", STEPS[0], STEPS[1]),
                register("step2", STEPS[1], STEPS[2]),
                lut("boot", STEPS[:2], BOOT, lambda a, b, c, d: a and not b),
                lut("address", (STEPS[2], RX), ADDRESS, lambda a, b, c, d: a and not b),
                memory("booted", ADDRESS, BOOT, BOOTED),
                memory("late", LOW, ADDRESS, LATE),
                lut("tx_in", (BOOTED[0], STEPS[2]), 50, lambda a, b, c, d: not (a and b)),
                register("tx", 50, TX),
                register("kept", BOOTED[1], KEPT, enable=BOOT),
                register("echo", LATE[0], ECHO),
                lut("key", (KEY, KEPT, ECHO), SHOWN, lambda a, b, c, d: a and (b or c)),
            ),
            {"clk": (CLK,), "rx": (RX,), "key": (KEY,)},
            {"tx": (TX,), "shown": (SHOWN,)},
            {},
        )
    )


@pytest.fixture(scope="module")
def recording(chip):
    sim = BitParallelSim(chip, clk_hz=1e6, rx="rx", tx="tx")
    sim.set_baud(50_000)
    sim.run(QUIET_CYCLES)
    sim.put(b"\x55\x0f")
    sim.run(2000)
    assert sim.recording().idle_cycles == QUIET_CYCLES
    return sim.recording()


def bit(cell, word, number):
    change = SetState(cell, 9 * word + number, 1)
    patch = Patch([change], is_contents=True)
    return Mutant("memory", f"{cell} {word}.{number}", patch, stays_equal=True)


def other_table(chip, cell, entry, *, stays_equal=False):
    table = next(one for one in chip.cells if one.name == cell).parameters["INIT"]
    change = SetTable(cell, table ^ 1 << entry)
    return Mutant("logic", f"{cell} {entry}", Patch([change]), stays_equal=stays_equal)


def fate(chip, recording, *mutants):
    for run, floating in ((recording.idle_part, True), (recording, False)):
        alive = [mutant for mutant in mutants if not mutant.outcome]
        run_batch(chip, alive, run, clk_hz=1e6, line=("rx", "tx"), floating=floating)
    for mutant in mutants:
        classify(mutant)
    return [mutant.outcome for mutant in mutants]


def test_what_the_chip_writes_over_by_itself_is_equal(chip, recording):
    mutant = bit("booted", 0, 0)
    assert fate(chip, recording, mutant) == ["equal"]
    assert mutant.converged_at == BOTH


def test_a_live_bit_is_never_equal(chip, recording):
    """A register took it before it was written over: no pad of the run shows it, a key would."""
    taken = bit("booted", 0, 1)
    assert fate(chip, recording, taken) == ["silent"]
    sim = BitParallelSim(chip, clk_hz=1e6, rx="rx", tx="tx")
    sim.reset(mutations=[partial(taken.patch.apply, copy=1)])
    sim.poke("rx", 1)
    sim.clock(100)
    assert not sim.noticed
    sim.poke("key", 1)
    sim.clock()
    assert sim.noticed[1].output == "shown"


def test_a_byte_that_is_shown_to_be_unread(chip, recording):
    """Nothing is asked of the run, which must not refute it."""
    shown, wrong = bit("late", 0, 0), bit("booted", 1, 0)
    shown.masked = wrong.masked = True
    assert fate(chip, recording, shown) == ["equal"]
    assert "before it is used" in shown.why
    with pytest.raises(InputError, match="booted 1.0 was shown to be equal, but differs"):
        fate(chip, recording, wrong)


def test_what_is_in_rings_alone_is_unread(chip):
    swapped = Mutant("words", "", Patch(bit("late", 0, 1).patch.changes * 2, is_contents=True))
    mutants = [
        bit("late", 0, 0),
        swapped,
        bit("booted", 0, 0),
        Mutant("words", "", Patch(is_contents=True)),
        Mutant("mode", "", Patch(bit("late", 0, 0).patch.changes)),
        other_table(chip, "key", 3),
    ]
    module._prove_masked(
        mutants, BitParallelSim(chip, clk_hz=1e6), lambda flat, power_up: frozenset({"late"})
    )
    assert [mutant.masked for mutant in mutants] == [True, True, False, False, False, False]


def test_what_is_written_over_only_after_something_was_said_is_silent(chip, recording):
    mutant = bit("late", 0, 0)
    assert fate(chip, recording, mutant) == ["silent"]
    assert (mutant.converged_at, mutant.converged, "gone" in mutant.why) == (set(), True, True)


def test_what_is_read_is_noticed_or_not_taken(chip, recording):
    mutants = bit("booted", 1, 0), bit("booted", 1, 2), bit("booted", 700, 0)
    assert fate(chip, recording, *mutants) == ["noticed", "silent", "silent"]
    assert mutants[0].why.endswith("tx")
    assert "no register takes" in mutants[1].why


def test_another_table_is_equal_only_where_that_is_shown(chip, recording):
    """That it holds what the good chip holds says nothing by itself: it may do something else."""
    shown, not_shown = (
        other_table(chip, "key", 3, stays_equal=stays_equal) for stays_equal in (True, False)
    )
    assert fate(chip, recording, shown, not_shown) == ["equal", "unexercised"]
    assert not not_shown.converged and not_shown.converged_at == BOTH


def test_an_entry_is_exercised_when_it_says_something_else(chip, recording):
    """While the line rests, "address" uses entry 3; nothing is there to be read. No key is ever
    pressed, so "key" never uses entry 7.
    """
    used, unused = other_table(chip, "address", 3), other_table(chip, "key", 7)
    assert fate(chip, recording, used, unused) == ["silent", "unexercised"]
    assert (used.activated, unused.activated) == (True, False)
    assert fate(chip, recording, other_table(chip, "tx_in", 2)) == ["noticed"]


def test_floating_inputs_may_tell(chip, recording):
    """What is kept for a key depends on an input that floats: alike in the silence at 0 only."""
    change = Reroute("kept", 0, FLOATING)
    mutant = Mutant("wire", "kept", Patch([change]), stays_equal=True)
    assert fate(chip, recording, mutant) == ["silent"]
    assert mutant.converged_at == {(QUIET_CYCLES, False)}


def test_an_argument_that_a_run_refutes_is_an_error(chip, recording):
    """Nothing differs while the line rests; with the first low bit it does."""
    change = Reroute("tx_in", 0, ADDRESS)
    mutant = Mutant("wire", "tx_in", Patch([change]), stays_equal=True)
    with pytest.raises(InputError, match="tx_in was shown to be equal, but differs: cycle 2"):
        fate(chip, recording, mutant)


@pytest.mark.quick
def test_sets_of_copies_that_differ(chip):
    patches = [bit("booted", 0, number).patch for number in range(3)]
    sim = BitParallelSim(overlay(chip, patches), clk_hz=1e6, loops=True)
    sim.reset(mutations=[partial(patch.apply, copy=1 + at) for at, patch in enumerate(patches)])
    sim.poke("rx", 1)
    assert (sim.differing, sim.latched) == (0b1110, 0)
    sim.clock(2)
    assert (sim.differing, sim.latched) == (0b0100, 0b0100)
    sim.reset()
    assert (sim.differing, sim.latched) == (0, 0)


def test_bytes_of_written_memories_count_where_a_load_writes_them(chip):
    rams = [cell for cell in chip.cells if cell.kind == "BSRAM"]
    fixed = Cell("BSRAM", "rom", {"WREA": (LOW,)}, {})
    first = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 0]], np.uint8)
    written = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0]], np.uint8)
    ever = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0]], np.uint8)
    found = sampled_bytes([*rams, fixed], first, written, ever)
    assert found.tolist() == [[1, 0, 0], [0, 0, 1], [1, 1, 0]]


def test_shares():
    outcomes = ["noticed"] * 6 + ["refused"] * 3 + ["equal"] * 5 + ["silent"]
    result = CampaignResult(tuple(Mutant("wire", "", Patch(), outcome=one) for one in outcomes), 10)
    assert (result.detected, round(result.noticed, 3)) == (0.9, 0.857)
    assert result.facts()["groups"]["wire"]["equal"] == 5
    assert len(result.facts()["survivors"]) == 6
    for mutant in result.mutants:
        mutant.inequivalent = True
    assert result.found_by_logic == result.facts()["found_by_logic"] == 1
    assert "90.0%" in str(result)
