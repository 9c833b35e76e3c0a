# SPDX-License-Identifier: MIT
"""Another clock changes some fuses of the PLL, and nothing else of the circuit."""

import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.bitstream import decode
from glintfpga.sim.gowin.decode.retime import clock_flips, content_flips, text

CLOCKS = sorted(TANGNANO20K.dividers)


def test_the_text_is_that_of_the_packer(chip, tmp_path):
    path = tmp_path / "again.fs"
    path.write_bytes(text(chip))
    again = decode(path, board=TANGNANO20K)
    assert (again.bitmap == chip.bitmap).all()
    assert not any(line.startswith(b"//") for line in path.read_bytes().splitlines())


@pytest.mark.parametrize("clock_mhz", CLOCKS)
def test_only_the_pll_changes(chip, clock_mhz):
    flips = clock_flips(chip, clock_mhz)
    own = chip.clock_hz == clock_mhz * 1e6
    assert len(flips) == 0 if own else 0 < len(flips) <= 16
    other = chip.with_flips(flips)
    assert other.clock_hz == clock_mhz * 1e6
    pairs = zip(chip.netlist.cells, other.netlist.cells, strict=True)
    assert {one.kind for one, two in pairs if one != two} == (set() if own else {"PLL"})
    other.account.check()
    assert clock_flips(other, clock_mhz) == []
    assert sorted(clock_flips(other, chip.clock_hz / 1e6)) == sorted(flips)


@pytest.mark.quick
def test_a_clock_that_the_pll_does_not_make(chip):
    with pytest.raises(InputError, match="makes 54, 67.5, 81, 94.5, 108 MHz, not 60 MHz"):
        clock_flips(chip, 60.0)


def test_contents_are_replaced(chip):
    """Bytes of one block RAM, and the parity bit of none."""
    old = bytes.fromhex(shipped("tangnano20k").manifest.build_id)
    new = bytes(range(0xF0, 0xF0 + len(old)))
    flips = content_flips(chip, old, new)
    assert len(flips) == sum((a ^ b).bit_count() for a, b in zip(old, new))
    other = chip.with_flips(flips)
    pairs = zip(chip.netlist.cells, other.netlist.cells, strict=True)
    ((before, after),) = [pair for pair in pairs if pair[0] != pair[1]]
    assert before.kind == "BSRAM"
    changed = before.parameters["INIT"] ^ after.parameters["INIT"]
    words = [changed >> 9 * at & 511 for at in range(2048)]
    found = [word for word in words if word]
    assert found == [a ^ b for a, b in zip(old, new) if a != b]
    assert sorted(content_flips(other, new, old)) == sorted(flips)
    assert content_flips(chip, old, old) == []


def test_contents_that_are_not_there(chip):
    with pytest.raises(InputError, match="at 0 places of the block RAMs, not at one"):
        content_flips(chip, bytes(range(1, 200)), bytes(199))
    with pytest.raises(InputError, match="places of the block RAMs, not at one"):
        content_flips(chip, bytes(4), bytes(4))
    with pytest.raises(ValueError, match="3 bytes cannot be replaced by 4"):
        content_flips(chip, bytes(3), bytes(4))
