# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.catalog import BOARDS, board_of
from glintfpga.boards.gowin.pll import solve
from glintfpga.quant.errors import InputError


def test_lookup():
    assert board_of("tangnano20k").part == "GW2AR-LV18QN88C8/I7"
    with pytest.raises(InputError, match=r"^unknown board 'icebreaker': use one of tangnano20k$"):
        board_of("icebreaker")


@pytest.mark.parametrize("name", list(BOARDS))
def test_clocks(name):
    board = board_of(name)
    assert board.default_clock_mhz in board.clocks_mhz
    for clock in board.clocks_mhz:
        assert board.check_clock(clock) == clock
        if clock * 1e6 == board.clock_hz:
            assert clock not in board.dividers
            continue
        found = solve(board.clock_hz, round(clock * 1e6))
        assert (found.idiv_sel, found.fbdiv_sel, found.odiv_sel) == board.dividers[clock]


def test_clock_errors():
    board = board_of("tangnano20k")
    message = r"^tangnano20k has no clock of 60 MHz: use one of 27, 54, 67\.5, 81, 94\.5, 108$"
    with pytest.raises(InputError, match=message):
        board.check_clock(60.0)
    with pytest.raises(InputError, match="has no clock of 0 MHz"):
        board.hertz(0.0)
    assert [board.hertz(clock) for clock in (None, 67.5)] == [54_000_000, 67_500_000]


@pytest.mark.quick
@pytest.mark.parametrize("name", list(BOARDS))
def test_platform_agrees(name):
    board = board_of(name)
    platform = board.platform()
    assert platform.part == board.part
    assert platform._chipdb_device == board.chip_database
    assert platform.default_clk_frequency == board.clock_hz
