# SPDX-License-Identifier: MIT
"""The PLL: its fuses must be the board's settings for one of its clocks.

    f_out = f_in * FDIV / IDIV      VCO = f_out * ODIV      reference = f_in / IDIV

Charge pump and loop filter follow from reference and VCO. The formula is that of the packer
(`calc_pll_pump` of apycula.gowin_pack for the GW2A), which has it from the vendor's tool; its
constants are fits, and were not compared with silicon.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import sqrt

from glintfpga.boards.board import Board
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.blocks import compare, fuses_at
from glintfpga.sim.gowin.decode.chip import PLL_TILES, Chip, Site
from glintfpga.sim.gowin.decode.tiles import Tile, place

__all__ = ["attributes_for", "pll_clock_hz", "pump"]

_MHZ = 1_000_000
_FIXED: Mapping[str, int | str] = {
    "INSEL": "CLKIN1",
    "FBSEL": "CLKFB3",
    "GMCMODE": 15,
    "PASEL": 0,
    "IRSTEN": "DISABLE",
    "SRSTEN": "DISABLE",
    "GMCGAIN": 0,
    "SDIV": 2,
    "OSDLY": "DISABLE",
    "OPDLY": "DISABLE",
    "PHASE": 0,
    "DUTY": 8,
    **dict.fromkeys(("PLOCK", "FLOCK", "FLTOP", "PDN", "PWDEN", "RSTEN"), "ENABLE"),
    **dict.fromkeys(("CLKOUTDIV3", "CLKOUTDIV", "CLKOUTPS"), "ENABLE"),
}
_OHMS = (
    *((2.4, 69410), (3.53, 47150), (6.82, 24430), (12.93, 12880)),
    *((25.7, 6480), (51.4, 3240), (102.81, 1620), (187.13, 890)),
)
"""Resistors R7 to R0 of the loop filter, each with the lowest reference in MHz that may use it."""
_FARADS = 6.69244e-11
_AMPERES = 280e-6
"""The most that the charge pump gives."""
_BANDS = ((13, 395), (14, 430), (15, 465), (16, 500))
"""Bands of the reference that begin late: number and first MHz."""


def pump(reference_hz: Fraction, vco_hz: Fraction) -> tuple[int, int, int]:
    """FLDCOUNT (band of the reference), ICPSEL (charge pump, microamperes), LPR (resistor)."""
    reference, vco = float(reference_hz / _MHZ), float(vco_hz / _MHZ)
    band = int((reference - 1) // 30)
    if any(band == number and reference <= last for number, last in _BANDS):
        band -= 1
    root = (-28.938 + sqrt(837.407844 - (385.07 - vco) * 0.9892)) / 0.4846
    gain = (0.1942 * root * root - 13.173 * root + 518.86) * _MHZ
    for number, (lowest, ohms) in enumerate(reversed(_OHMS)):
        current = 1.8769 / (ohms * ohms * gain * _FARADS) * 4 * (vco / reference)
        if lowest < reference and current <= _AMPERES:
            return (band + 1) * 16, int(current * 1e5 + 0.5) * 10, number
    raise InputError(f"no charge pump suits a PLL of {reference:g} and {vco:g} MHz")


def attributes_for(board: Board, clock_mhz: float) -> dict[str, int | str]:
    """Everything that the PLL of a board is set to for one of its clocks."""
    idiv, fbdiv, odiv = board.dividers[clock_mhz]
    reference = Fraction(board.clock_hz, idiv + 1)
    band, current, resistor = pump(reference, reference * (fbdiv + 1) * odiv)
    dividers = {"IDIV": idiv + 1, "FDIV": fbdiv + 1, "ODIV": odiv}
    return {**_FIXED, **dividers, "FLDCOUNT": band, "ICPSEL": current, "LPR": f"R{resistor}"}


def pll_clock_hz(chip: Chip, tiles: Mapping[tuple[int, int], Tile], site: Site) -> int | None:
    """Frequency that the PLL at `site` makes, None if it is not used.

    Raises InputError for one that is not set as the board sets it for one of its clocks (feedback
    inside, CLKOUT, fixed dividers).
    """
    fuses = fuses_at(tiles, site, PLL_TILES, "PLL")
    if not fuses:
        return None
    table = chip.block_table("PLL", "PLL", site, PLL_TILES)
    fdiv, idiv = table.read("FDIV", fuses), table.read("IDIV", fuses)
    if not fdiv or not idiv:
        raise InputError(f"the PLL at {place(site.row, site.column)} has no dividers")
    made_hz = Fraction(chip.board.clock_hz * fdiv, idiv)
    for clock_mhz in chip.board.dividers:
        if made_hz == Fraction(str(clock_mhz)) * _MHZ:
            wanted = table.encode(attributes_for(chip.board, clock_mhz), chip.pll_zeros)
            compare(site, f"the PLL for {clock_mhz:g} MHz", fuses, wanted)
            return int(made_hz)
    raise InputError(
        f"the PLL at {place(site.row, site.column)} of the bitstream makes "
        f"{float(made_hz) / _MHZ:g} MHz, which is no clock of {chip.board.name}"
    )
