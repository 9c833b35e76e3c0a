# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.errors import DeviceError
from glintfpga.sim.idle import Rest
from glintfpga.sim.line import SimLine


@pytest.fixture
def line(swapper):
    return SimLine(swapper, baud=3_000_000)


def test_answers(line):
    line.write(b"abc")
    data = b""
    while len(data) < 3:
        data += line.read(16, 0.01)
    assert data == b"`cb"
    assert line.clock() < 5e-4


def test_returns_early_and_no_more_than_asked(line):
    line.write(b"abcdefgh")
    first = line.read(3, 1.0)
    assert 1 <= len(first) <= 3
    assert line.clock() < 1e-4


def test_timeout_is_simulated_time(line):
    before = line.clock()
    assert line.read(1, 0.05) == b""
    assert line.clock() - before == pytest.approx(0.05, abs=1e-6)
    assert line.sim.cycles == pytest.approx(0.05 * line.sim.clk_hz, abs=30)


def test_nothing_moves_between_calls(line):
    before = line.clock()
    line.write(b"a")
    assert line.clock() == before


def test_rests_after_silence(swapper):
    line = SimLine(swapper, baud=3_000_000, rest=Rest(swapper))
    assert line.read(1, 0.02) == b""
    assert line.resting
    cycles, began = line.sim.cycles, line.clock()
    assert cycles < 0.005 * line.sim.clk_hz
    assert line.read(1, 3600.0) == b""
    line.skip(60.0)
    assert line.sim.cycles == cycles
    assert line.clock() - began == pytest.approx(3660, abs=1e-6)
    line.write(b"a")
    assert not line.resting
    assert line.read(1, 0.1) == b"`"


def test_only_a_resting_device_skips_time(line):
    line.skip(1.0)
    assert line.clock() == 0
    assert not line.resting


@pytest.mark.quick
def test_rate_changes_after_what_was_written(line):
    line.write(b"xyz")
    line.set_baud(1_500_000)
    assert line.sim.unsent == 0
    data = line.read(3, 0.01) + line.read(3, 0.001)
    assert data[:2] == b"yx"  # what follows meets a receiver at half the rate


def test_closed(line):
    line.close()
    line.close()
    with pytest.raises(DeviceError, match="closed"):
        line.read(1, 0.1)
