# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.errors import DeviceError
from glintfpga.sim.idle import Rest
from glintfpga.sim.line import SimLine


@pytest.fixture
def port(swapper):
    return SimLine(swapper, baud=3_000_000)


def test_answers(port):
    port.write(b"abc")
    data = b""
    while len(data) < 3:
        data += port.read(16, 0.01)
    assert data == b"`cb"
    assert port.clock() < 5e-4


def test_returns_early_and_no_more_than_asked(port):
    port.write(b"abcdefgh")
    first = port.read(3, 1.0)
    assert 1 <= len(first) <= 3
    assert port.clock() < 1e-4


def test_timeout_is_simulated_time(port):
    before = port.clock()
    assert port.read(1, 0.05) == b""
    assert port.clock() - before == pytest.approx(0.05, abs=1e-6)
    assert port.sim.cycles == pytest.approx(0.05 * port.sim.clk_hz, abs=30)


def test_nothing_moves_between_calls(port):
    before = port.clock()
    port.write(b"a")
    assert port.clock() == before


def test_rests_after_silence(swapper):
    port = SimLine(swapper, baud=3_000_000, rest=Rest(swapper))
    assert port.read(1, 0.02) == b""
    assert port.resting
    cycles, began = port.sim.cycles, port.clock()
    assert cycles < 0.005 * port.sim.clk_hz
    assert port.read(1, 3600.0) == b""
    port.skip(60.0)
    assert port.sim.cycles == cycles
    assert port.clock() - began == pytest.approx(3660, abs=1e-6)
    port.write(b"a")
    assert not port.resting
    assert port.read(1, 0.1) == b"`"


def test_only_a_resting_device_skips_time(port):
    port.skip(1.0)
    assert port.clock() == 0
    assert not port.resting


@pytest.mark.quick
def test_rate_changes_after_what_was_written(port):
    port.write(b"xyz")
    port.set_baud(1_500_000)
    assert port.sim.unsent == 0
    data = port.read(3, 0.01) + port.read(3, 0.001)
    assert data[:2] == b"yx"  # what follows meets a receiver at half the rate


def test_closed(port):
    port.close()
    port.close()
    with pytest.raises(DeviceError, match="closed"):
        port.read(1, 0.1)
