# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.wire.messages import generate, message, prompt
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    DEVICE_RETRIES,
    FALLBACK_S,
    KEEP_ALIVE_S,
    RETRY_S,
    Op,
)
from glintfpga.sim.host import SimHost
from glintfpga.sim.idle import BAUD, FREE, SILENCE, Rest
from glintfpga.sim.line import SimLine, open_sim_line

FAST = len(BAUDS) - 1


@pytest.fixture
def line():
    """The shipped device at its highest rate, greeted."""
    line = open_sim_line(baud=BAUDS[FAST])
    assert SimHost(line).info.baud_index == FAST
    return line


def registers(sim):
    items = map(sim.item, sim.names())
    return {item.name: item.peek() for item in items if not item.is_memory and item.name != FREE}


def test_starts_at_the_rate_it_is_given(line):
    assert line.sim.item(BAUD).peek() == FAST
    assert line.sim.cycles < 60_000
    assert line.sim.framing_errors == 0


@pytest.mark.quick
def test_rests_as_soon_as_nothing_happens(line):
    began = line.sim.cycles
    assert line.read(1, 0.01) == b""
    assert line.resting
    assert line.sim.cycles - began < 0.004 * line.sim.clk_hz
    assert line.clock() == pytest.approx(began / line.sim.clk_hz + 0.01, abs=1e-6)


def test_time_that_is_skipped_is_time_that_passes(line):
    """Another device, in the same state, that is computed."""
    other = SimLine(open_sim_line(baud=BAUDS[FAST]).sim, baud=BAUDS[FAST])
    SimHost(other).ask()
    line.read(1, 0.008)
    other.read(1, 0.008)
    assert (line.resting, other.resting) == (True, False)
    assert registers(line.sim) == registers(other.sim)
    assert line.clock() == pytest.approx(other.clock(), abs=1e-6)


def test_silence_takes_it_back_to_the_first_rate_in_time(line):
    heard = line.clock()
    line.read(1, heard + FALLBACK_S - 0.005 - line.clock())
    assert line.sim.item(BAUD).peek() == FAST
    line.read(1, 0.01)
    assert line.sim.item(BAUD).peek() == 0
    cycles = line.sim.cycles
    line.read(1, 3600.0)
    assert line.sim.item(SILENCE).peek() < FALLBACK_S * 1000
    assert line.sim.cycles - cycles < 0.004 * line.sim.clk_hz


def test_answers_after_a_rest(line):
    host = SimHost(line)
    expected = host.ask(prompt(list(b"the "), 257), generate(9, crc=True), message(Op.RESET))
    for _ in range(5):
        line.read(1, KEEP_ALIVE_S)
        assert line.resting
        host.ask(message(Op.RESET))
    assert (
        host.ask(prompt(list(b"the "), 257), generate(9, crc=True), message(Op.RESET)) == expected
    )
    assert line.sim.item(BAUD).peek() == FAST


def test_says_again_in_time_what_nobody_acknowledges(line):
    host = SimHost(line)
    host.ask()
    host.session.send(message(Op.COUNTERS))
    line.write(host.session.step(b"", line.clock()))
    while line.read(4096, 0.003):
        pass
    assert line.resting  # and nothing was acknowledged
    began, cycles = line.clock(), line.sim.cycles
    assert line.read(4096, 2 * RETRY_S) and line.clock() - began < RETRY_S + 0.004
    assert line.sim.cycles - cycles < 0.008 * line.sim.clk_hz
    while line.read(4096, 2 * RETRY_S):
        pass
    assert line.sim.item("service link sender tries").peek() == DEVICE_RETRIES
    line.read(1, RETRY_S)
    assert line.resting


def test_a_change_of_state_is_seen(line):
    line.read(1, 0.01)
    rest = Rest(line.sim)
    for changes in (True, False):
        for _ in range(3):
            line.sim.run(rest.cycles_to_look)
            if changes:
                line.sim.item("service link errors").poke(line.sim.cycles % 7)
            rest.look()
        assert rest.found is not changes
