# SPDX-License-Identifier: MIT
import re
from pathlib import Path

import pytest

from glintfpga.sim.shipped import shipped_sim

PAGE = Path(__file__).parents[2] / "docs/how-the-chip-works.md"
NAMES = {
    name: int(bits)
    for names, bits in re.findall(r"^\|.*?\| (`.*`) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    for name in re.findall(r"`([^`]+)`", names)
}


@pytest.mark.quick
def test_names_that_stay():
    sim = shipped_sim()
    assert len(NAMES) == 14
    assert {name: sim.item(name).width for name in NAMES} == NAMES
    per_lane = [name.replace("lane0", "lane3") for name in NAMES if "lane0" in name]
    assert set(per_lane) <= set(sim.names())


def test_a_signal_in_parts_is_read_and_written_whole():
    """Yosys splits the control word by what drives its bits, and keeps none that never changes."""
    sim = shipped_sim()
    word = sim.item("machine core sequencer word")
    word.poke((1 << word.width) - 1)
    kept = word.peek()
    assert kept.bit_count() > 12
    word.poke(0)
    assert word.peek() == 0
    word.poke(kept & 0x2A0C5)
    assert word.peek() == kept & 0x2A0C5
