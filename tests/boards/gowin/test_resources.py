# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.catalog import board_of
from glintfpga.boards.gowin.resources import Resources, check, count
from glintfpga.quant.errors import InputError

BOARD = board_of("tangnano20k")


def netlist(**types):
    cells = {
        f"{kind}{at}": {"type": kind, "parameters": {}}
        for kind, number in types.items()
        for at in range(number)
    }
    return {"modules": {"top": {"cells": cells}}}


def test_count():
    memories = {"SPX9": 1, "DPB": 2, "SDPX9B": 1, "RAM16SDP4": 5}
    found, types = count(netlist(MULT18X18=2, MULTALU18X18=1, MULT9X9=3, LUT4=9, **memories))
    assert found == Resources(mult18x18=4, mult9x9=3, bsram=4, ram16=5)
    assert types["LUT4"] == 9


def test_exact():
    design = netlist(MULT18X18=2, DPX9B=4, RAM16SDP4=6)
    assert check(design, Resources(mult18x18=2, bsram=4, ram16=6), BOARD)["DPX9B"] == 4
    assert check(design, None, BOARD)["DPX9B"] == 4
    message = (
        r"^synthesis made 2 MULT18X18 instead of 1, 0 MULT9X9 instead of 4, 4 block RAMs instead "
        r"of 5, 6 LUT RAMs \(RAM16\) instead of 0: a memory or multiplier was not recognized$"
    )
    with pytest.raises(InputError, match=message):
        check(design, Resources(mult18x18=1, mult9x9=4, bsram=5), BOARD)


def test_latches():
    with pytest.raises(InputError, match=r"^synthesis made 2 latches instead of none"):
        check(netlist(DLC=2), None, BOARD)


@pytest.mark.quick
@pytest.mark.parametrize(
    "types, message",
    [
        ({"SPX9": 47}, r"^the design needs 47 block RAMs, tangnano20k has 46"),
        ({"MULT18X18": 49}, r"^the design needs 49 MULT18X18, tangnano20k has 48"),
        ({"MULT18X18": 47, "MULT9X9": 1}, r"^the multipliers need 25 DSP macros, .* has 24"),
    ],
)
def test_too_large(types, message):
    with pytest.raises(InputError, match=message):
        check(netlist(**types), None, BOARD)
