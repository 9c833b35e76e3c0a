# SPDX-License-Identifier: MIT
"""A chip whose registers hold anything at power-up, while its clock has not locked.

Another bitstream: ``GLINTFPGA_BITSTREAM=build/tangnano20k/blink.fs pytest <this file>``.
"""

import random

import pytest

from glintfpga.host.proof.stages import running
from glintfpga.sim.gowin.netlist.bitparallel import ALL
from glintfpga.sim.gowin.netlist.flat_netlist import MULT_FLAGS
from glintfpga.sim.stimulus.driver import HostDriver

UNLOCKED_CYCLES = 20
"""So many edges the vendor's model of the PLL gives before it says that it has locked."""
OUTPUTS = {"DFF": ("Q",), "BSRAM": ("DOA", "DOB")}


def any_power_up(sim, *, kinds, seed=11):
    """Power-up of the chip in copy 0, and with random values in what is of ``kinds`` in all others.

    ``kinds`` are DFF, BSRAM (what its ports show) and MULT (its registers).
    """
    numbers = random.Random(seed)
    cells = sim.flat.cells

    def fill(sim):
        for at, cell in enumerate(cells):
            if cell.kind == "MULT" and "MULT" in kinds:
                for index in range(MULT_FLAGS):
                    word = numbers.getrandbits(64)
                    for copy in range(1, 64):
                        sim.set_state(at, index, copy, word >> copy & 1)

    sim.reset(mutations=[fill])
    for cell in cells:
        for pin in OUTPUTS.get(cell.kind, ()) if cell.kind in kinds else ():
            for net in cell.ports.get(pin, ()):
                sim.set_net(net, numbers.getrandbits(64) & ~1 | sim.net(net) & 1)
    for net in sim.flat.locks:
        sim.set_net(net, 0)
    sim.run(UNLOCKED_CYCLES)
    for net in sim.flat.locks:
        sim.set_net(net, ALL)


@pytest.fixture
def sim(chip):
    sim = running(chip.netlist, chip.clock_hz)
    assert sim.flat.locks
    return sim


def test_memories_and_multipliers_may_show_anything(sim):
    """Self-test and hello; the registers have the values of the bitstream."""
    any_power_up(sim, kinds=("BSRAM", "MULT"))
    assert bin(sim.differing).count("1") > 60
    HostDriver(sim)
    assert sim.noticed == {}


def test_registers_may_hold_anything(sim):
    """All of them: what they write before they are reset does not show in self-test and hello."""
    any_power_up(sim, kinds=("DFF", "BSRAM", "MULT"))
    HostDriver(sim)
    assert sim.noticed == {}
