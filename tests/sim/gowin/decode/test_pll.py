# SPDX-License-Identifier: MIT
"""The PLL against the packer and the gateware."""

from fractions import Fraction

import pytest
from apycula import gowin_pack

from glintfpga.boards.gowin.pll import solve
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.attributes import fuses_of
from glintfpga.sim.gowin.decode.chip import PLL_TILES, chip_of
from glintfpga.sim.gowin.decode.pll import attributes_for, pll_clock_hz, pump
from glintfpga.sim.gowin.decode.tiles import Tile


def test_pump_is_that_of_the_packer(monkeypatch):
    """For many references, also some that no divider makes of the oscillator."""
    monkeypatch.setattr(gowin_pack, "device", TANGNANO20K.chip_database, raising=False)
    references = [Fraction(TANGNANO20K.clock_hz, idiv) for idiv in range(1, 10)]
    references += [Fraction(mhz * 1_000_000) for mhz in range(3, 500, 3)]
    found = set()
    for reference in references:
        for vco_hz in range(500_000_000, 1_250_000_001, 50_000_000):
            mhz = float(reference) / 1e6, vco_hz / 1e6
            band, current, resistor = gowin_pack.calc_pll_pump(*mhz)
            assert pump(reference, Fraction(vco_hz)) == (band, current, resistor), mhz
            found.add((band, resistor))
    assert len(found) > 20


@pytest.mark.parametrize("clock_mhz", TANGNANO20K.dividers)
def test_pll_of_every_clock(clock_mhz):
    """The packer, given the parameters of the gateware's PLL, sets the same."""
    settings = solve(TANGNANO20K.clock_hz, round(clock_mhz * 1e6))
    assert 500e6 <= settings.vco_hz <= 1250e6
    chip = chip_of(TANGNANO20K)
    wanted = packed_pll(chip.database, settings)
    site = next(site for site in chip.sites if site.kind == "PLL")
    table = chip.block_table("PLL", "PLL", site, PLL_TILES)
    made = table.encode(attributes_for(TANGNANO20K, clock_mhz), chip.pll_zeros)
    assert made == {
        (tile, *bit) for tile, rules in table.rules.items() for bit in fuses_of(wanted, rules)
    }
    tiles = {site.tile(at): Tile({}, blocks={"PLL": bits_of(made, at)}) for at in range(PLL_TILES)}
    assert pll_clock_hz(chip, tiles, site) == clock_mhz * 1e6


def packed_pll(database, settings):
    """Codes of the attributes that the packer gives to an rPLL."""
    names = ("idiv_sel", "fbdiv_sel", "odiv_sel")
    parameters = {name.upper(): f"{getattr(settings, name):032b}" for name in names}
    parameters["FCLKIN"] = f"{settings.input_hz / 1e6:g}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gowin_pack, "device", TANGNANO20K.chip_database, raising=False)
        return gowin_pack.set_pll_attrs(database, "RPLL", 0, parameters)


def bits_of(fuses, tile):
    return frozenset((row, column) for at, row, column in fuses if at == tile)


@pytest.mark.quick
def test_no_resistor_suits_a_slow_reference():
    """The slowest reference that has one, and the next slower."""
    assert pump(Fraction(2_400_001), Fraction(500_000_000))[2] == 7
    with pytest.raises(InputError, match="no charge pump suits a PLL of 2.4 and 500 MHz"):
        pump(Fraction(2_400_000), Fraction(500_000_000))
