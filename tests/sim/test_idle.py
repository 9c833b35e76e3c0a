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
def port():
    """The shipped device at its highest rate, greeted."""
    port = open_sim_line(baud=BAUDS[FAST])
    assert SimHost(port).info.baud_index == FAST
    return port


def registers(sim):
    items = map(sim.item, sim.names())
    return {item.name: item.peek() for item in items if not item.is_memory and item.name != FREE}


def test_starts_at_the_rate_it_is_given(port):
    assert port.sim.item(BAUD).peek() == FAST
    assert port.sim.cycles < 60_000
    assert port.sim.framing_errors == 0


@pytest.mark.quick
def test_rests_as_soon_as_nothing_happens(port):
    began = port.sim.cycles
    assert port.read(1, 0.01) == b""
    assert port.resting
    assert port.sim.cycles - began < 0.004 * port.sim.clk_hz
    assert port.clock() == pytest.approx(began / port.sim.clk_hz + 0.01, abs=1e-6)


def test_time_that_is_skipped_is_time_that_passes(port):
    """Another device, in the same state, that is computed."""
    other = SimLine(open_sim_line(baud=BAUDS[FAST]).sim, baud=BAUDS[FAST])
    SimHost(other).ask()
    port.read(1, 0.008)
    other.read(1, 0.008)
    assert (port.resting, other.resting) == (True, False)
    assert registers(port.sim) == registers(other.sim)
    assert port.clock() == pytest.approx(other.clock(), abs=1e-6)


def test_silence_takes_it_back_to_the_first_rate_in_time(port):
    heard = port.clock()
    port.read(1, heard + FALLBACK_S - 0.005 - port.clock())
    assert port.sim.item(BAUD).peek() == FAST
    port.read(1, 0.01)
    assert port.sim.item(BAUD).peek() == 0
    cycles = port.sim.cycles
    port.read(1, 3600.0)
    assert port.sim.item(SILENCE).peek() < FALLBACK_S * 1000
    assert port.sim.cycles - cycles < 0.004 * port.sim.clk_hz


def test_answers_after_a_rest(port):
    host = SimHost(port)
    expected = host.ask(prompt(list(b"the "), 257), generate(9, crc=True), message(Op.RESET))
    for _ in range(5):
        port.read(1, KEEP_ALIVE_S)
        assert port.resting
        host.ask(message(Op.RESET))
    assert (
        host.ask(prompt(list(b"the "), 257), generate(9, crc=True), message(Op.RESET)) == expected
    )
    assert port.sim.item(BAUD).peek() == FAST


def test_says_again_in_time_what_nobody_acknowledges(port):
    host = SimHost(port)
    host.ask()
    host.session.send(message(Op.COUNTERS))
    port.write(host.session.step(b"", port.clock()))
    while port.read(4096, 0.003):
        pass
    assert port.resting  # and nothing was acknowledged
    began, cycles = port.clock(), port.sim.cycles
    assert port.read(4096, 2 * RETRY_S) and port.clock() - began < RETRY_S + 0.004
    assert port.sim.cycles - cycles < 0.008 * port.sim.clk_hz
    while port.read(4096, 2 * RETRY_S):
        pass
    assert port.sim.item("service link sender tries").peek() == DEVICE_RETRIES
    port.read(1, RETRY_S)
    assert port.resting


def test_a_change_of_state_is_seen(port):
    port.read(1, 0.01)
    rest = Rest(port.sim)
    for changes in (True, False):
        for _ in range(3):
            port.sim.run(rest.cycles_to_look)
            if changes:
                port.sim.item("service link errors").poke(port.sim.cycles % 7)
            rest.look()
        assert rest.found is not changes
