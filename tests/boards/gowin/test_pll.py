# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.gowin.pll import ClockGenerator, solve
from glintfpga.quant.errors import InputError


@pytest.mark.parametrize(
    "mhz, idiv, fbdiv, odiv",
    [
        (27, 0, 0, 32),
        (54, 0, 1, 16),
        (81, 0, 2, 8),
        (94.5, 1, 6, 8),
        (108, 0, 3, 8),
        (135, 0, 4, 8),
        (4.5, 5, 0, 128),
        (621, 0, 22, 2),
    ],
)
def test_solve(mhz, idiv, fbdiv, odiv):
    found = solve(27_000_000, round(mhz * 1e6))
    assert (found.idiv_sel, found.fbdiv_sel, found.odiv_sel) == (idiv, fbdiv, odiv)
    assert found.output_hz == mhz * 1_000_000
    assert 500e6 <= found.vco_hz <= 1250e6


@pytest.mark.parametrize("mhz", [0, 1, 3.9, 60.5, 100, 648, 700])
def test_impossible(mhz):
    with pytest.raises(InputError, match=rf"^the PLL cannot make {mhz:g} MHz from 27 MHz"):
        solve(27_000_000, round(mhz * 1e6))


@pytest.mark.quick
def test_every_solution_is_within_limits():
    for quarter in range(1, 700 * 4):
        hz = quarter * 250_000
        try:
            found = solve(27_000_000, hz)
        except InputError:
            continue
        assert found.output_hz == hz
        assert 500e6 <= found.vco_hz <= 1250e6
        assert 27e6 / (found.idiv_sel + 1) >= 3e6
        assert found.fbdiv_sel < 64 and found.idiv_sel < 64


def test_oscillator_needs_no_pll():
    generator = ClockGenerator(
        oscillator=0, input_hz=27_000_000, output_hz=27_000_000, device="GW2A-18C"
    )
    assert generator.settings is None
    generator._MustUse__used = True
