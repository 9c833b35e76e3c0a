# SPDX-License-Identifier: MIT
"""What a port of a block RAM reads of a word while the other writes it is undefined on the chip.

The gateware does read such words, and uses none: copies that get random bits in their place say the
same at every pad. These are runs, no proof for any state.
"""

import random

import pytest

from glintfpga.host.models import image_of
from glintfpga.host.proof.stages import running
from glintfpga.sim.gowin.netlist.bitparallel import ALL, BitParallelSim
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist
from glintfpga.sim.stimulus.conversations import (
    link_faults_stimulus,
    shapes_stimulus,
    short_stimulus,
)
from glintfpga.sim.stimulus.driver import HostDriver

CLOCK, WRITE, ENABLE, A, B = 3, 4, 5, 10, 30
LINES = {9: 11, 18: 10, 36: 9}
SEED = 20


def two_ports(width_a, width_b, *, pads=False):
    """Port A writes, port B reads; its outputs are ``pads`` or nobody's."""
    out = tuple(range(100, 100 + width_b))
    data = tuple(range(60, 60 + width_a))
    pins = {"CLKA": (CLOCK,), "CEA": (HIGH,), "WREA": (WRITE,), "DIA": data}
    pins |= {"CLKB": (CLOCK,), "CEB": (ENABLE,), "WREB": (LOW,), "DOB": out}
    pins |= {"ADA": tuple(range(A, A + LINES[width_a])), "ADB": tuple(range(B, B + LINES[width_b]))}
    sizes = {"WIDTH_A": width_a, "MODE_A": 0, "WIDTH_B": width_b, "MODE_B": 0, "INIT": 0}
    inputs = {"clk": (CLOCK,), "write": (WRITE,), "enable": (ENABLE,), "data": data}
    inputs |= {"to": pins["ADA"], "from": pins["ADB"]}
    outputs = {"out": out} if pads else {}
    sim = BitParallelSim(
        Netlist((Cell("BSRAM", "m", pins, sizes),), inputs, outputs, {}), clk_hz=1e6
    )
    sim.poison(SEED)
    return sim, out


def drive(sim, **values):
    for name, value in values.items():
        sim.poke(name, value)
    sim.clock()


def word(sim, nets, copy=0):
    return sum((sim.net(net) >> copy & 1) << bit for bit, net in enumerate(nets))


def copies_that_differ(sim, nets):
    words = [sim.net(net) for net in nets]
    return sum(1 << copy for copy in range(64) if any((w >> copy ^ w) & 1 for w in words))


def test_a_word_that_is_written_reads_as_anything_in_other_copies():
    sim, out = two_ports(18, 18)
    drive(sim, write=1, enable=1, data=0x2AAAA, to=7)
    assert (sim.collisions, copies_that_differ(sim, out)) == (0, 0)
    drive(sim, **{"from": 7}, data=0x15555)
    first = [sim.net(net) for net in out]
    assert (sim.collisions, copies_that_differ(sim, out)) == (1, ALL - 1)
    assert word(sim, out) == 0x2AAAA, "copy 0 reads what was there before"
    drive(sim)
    assert [sim.net(net) for net in out] != first, "afresh, also when no input changes"
    assert sim.collisions == 2
    drive(sim, write=0, enable=0)
    assert copies_that_differ(sim, out) == ALL - 1, "nobody has read anew"
    drive(sim, enable=1)
    assert (sim.collisions, copies_that_differ(sim, out)) == (2, 0)
    assert (word(sim, out), word(sim, out, copy=63)) == (0x15555, 0x15555)


def test_pads_that_show_it_are_noticed():
    sim, _ = two_ports(18, 18, pads=True)
    drive(sim, write=1, enable=1, to=7)
    assert sim.noticed == {}
    drive(sim, **{"from": 7})
    assert set(sim.noticed) == set(range(1, 64))
    assert {noticed.cycle for noticed in sim.noticed.values()} == {2}


@pytest.mark.quick
@pytest.mark.parametrize(("width_a", "width_b"), [(9, 18), (18, 9), (36, 9), (9, 36), (36, 36)])
def test_words_of_other_widths_that_overlap(width_a, width_b):
    sim, out = two_ports(width_a, width_b)
    numbers, count = random.Random(1), 0
    for _ in range(300):
        to, where = numbers.randrange(8), numbers.randrange(8)
        drive(sim, write=1, enable=1, data=numbers.getrandbits(width_a), to=to, **{"from": where})
        bytes_a = range(to * (width_a // 8), (to + 1) * (width_a // 8))
        hit = any(byte // (width_b // 8) == where for byte in bytes_a)
        count += hit
        assert (copies_that_differ(sim, out) > 0, sim.collisions) == (hit, count)
    assert count > 10


def test_only_reads_of_words_that_are_written():
    sim, out = two_ports(18, 18)
    for still in ({"write": 0, "enable": 1}, {"write": 1, "enable": 0}):
        drive(sim, **still, to=5, **{"from": 5})
        assert (sim.collisions, copies_that_differ(sim, out)) == (0, 0)
    sim.poison(0)
    drive(sim, write=1, enable=1)
    assert copies_that_differ(sim, out) == 0


# --- the chip ---


@pytest.fixture
def poisoned(chip):
    sim = running(chip.netlist, chip.clock_hz)
    sim.poison(SEED)
    return sim


def test_the_poison_bites(poisoned):
    """After the first collision of the self-test the outputs of a memory differ in all copies."""
    cells = [cell for cell in poisoned.flat.cells if cell.kind == "BSRAM"]
    nets = [net for cell in cells for pin in ("DOA", "DOB") for net in cell.ports.get(pin, ())]
    while not poisoned.collisions:
        poisoned.clock()
        assert poisoned.cycles < 50_000
    assert copies_that_differ(poisoned, nets) == ALL - 1


def test_no_pad_says_what_was_read_while_it_was_written(poisoned):
    """Self-test, hello, and all that can be asked about the model."""
    HostDriver(poisoned).exercise(image_of(None).model, 16)
    assert poisoned.collisions > 50
    assert (poisoned.noticed, poisoned.differing) == ({}, 0)


@pytest.mark.slow
@pytest.mark.parametrize("stimulus", [short_stimulus, link_faults_stimulus, shapes_stimulus])
def test_no_pad_says_it_in_longer_conversations(stimulus, poisoned):
    stimulus(poisoned, image_of(None))
    assert poisoned.collisions > 200
    assert (poisoned.noticed, poisoned.differing) == ({}, 0)
