# SPDX-License-Identifier: MIT
"""Clock and reset of the gateware from the board's oscillator.

f_out = f_in * (FBDIV_SEL + 1) / (IDIV_SEL + 1)     VCO = f_out * ODIV_SEL
PFD   = f_in / (IDIV_SEL + 1)
"""

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import ClockSignal, Const, Elaboratable, Instance, Module, Signal
from amaranth.lib.cdc import ResetSynchronizer

from glintfpga.quant.errors import InputError

__all__ = ["ClockGenerator", "PLLSettings", "solve"]

_SEL = 64  # IDIV_SEL and FBDIV_SEL are 6 bits
_ODIV = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
_MHZ = 1_000_000
# Limits of the speed grade C8/I7; the lowest f_out is the lowest VCO / 128.
_PFD = (3 * _MHZ, 500 * _MHZ)
_VCO = (500 * _MHZ, 1250 * _MHZ)
_OUT = (Fraction(_VCO[0], 128), 625 * _MHZ)


@dataclass(frozen=True, kw_only=True)
class PLLSettings:
    """Parameters of one rPLL."""

    input_hz: int
    idiv_sel: int
    fbdiv_sel: int
    odiv_sel: int

    @property
    def output_hz(self) -> Fraction:
        """Exact output frequency."""
        return Fraction(self.input_hz * (self.fbdiv_sel + 1), self.idiv_sel + 1)

    @property
    def vco_hz(self) -> Fraction:
        """Frequency of the oscillator inside."""
        return self.output_hz * self.odiv_sel


def solve(input_hz: int, output_hz: int) -> PLLSettings:
    """Settings that make exactly ``output_hz``.

    Takes the highest phase detector frequency, then the highest VCO frequency: both lower the
    jitter. Raises ``InputError`` when no setting within the limits gives the frequency.
    """
    if _OUT[0] <= output_hz <= _OUT[1]:
        for idiv in range(_SEL):
            fbdiv = Fraction(output_hz * (idiv + 1), input_hz) - 1
            if not _PFD[0] <= Fraction(input_hz, idiv + 1) <= _PFD[1]:
                continue
            if fbdiv.denominator != 1 or not 0 <= fbdiv < _SEL:
                continue
            odivs = [odiv for odiv in _ODIV if _VCO[0] <= output_hz * odiv <= _VCO[1]]
            if odivs:
                return PLLSettings(
                    input_hz=input_hz,
                    idiv_sel=idiv,
                    fbdiv_sel=int(fbdiv),
                    odiv_sel=odivs[-1],
                )
    raise InputError(
        f"the PLL cannot make {output_hz / _MHZ:g} MHz from {input_hz / _MHZ:g} MHz: "
        "choose a multiple of half the oscillator"
    )


class ClockGenerator(Elaboratable):
    """Drives the domain ``sync``: its clock, its constraint and its reset.

    Reset is released two cycles after the PLL has locked. A clock equal to the oscillator uses no
    PLL.

    Parameters
    ----------
    oscillator : Value
        The clock from the pin, behind its input buffer.
    input_hz, output_hz : int
    device : str
        Name of the chip in the tools' database.

    Raises ``InputError`` when the PLL cannot make `output_hz`.
    """

    def __init__(self, *, oscillator, input_hz: int, output_hz: int, device: str):
        self.oscillator = oscillator
        self.input_hz = input_hz
        self.output_hz = output_hz
        self.device = device
        self.settings = None if input_hz == output_hz else solve(input_hz, output_hz)

    def elaborate(self, platform):
        m = Module()
        clock = Signal(name="clock")
        locked = Signal()
        if self.settings is None:
            m.d.comb += [clock.eq(self.oscillator), locked.eq(1)]
        else:
            m.submodules.pll = self._instance(self.settings, clock, locked)
        if platform is not None:
            # The constraint of the oscillator's pin ends at its input buffer.
            platform.add_clock_constraint(clock, float(self.output_hz))
        m.d.comb += ClockSignal("sync").eq(clock)
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m

    def _instance(self, settings: PLLSettings, clock: Signal, locked: Signal) -> Instance:
        return Instance(
            "rPLL",
            p_DEVICE=self.device,
            p_FCLKIN=f"{self.input_hz / _MHZ:g}",
            p_IDIV_SEL=settings.idiv_sel,
            p_FBDIV_SEL=settings.fbdiv_sel,
            p_ODIV_SEL=settings.odiv_sel,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_CLKFB_SEL="internal",
            i_CLKIN=self.oscillator,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_IDSEL=Const(0, 6),
            i_FBDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clock,
            o_LOCK=locked,
        )
