# SPDX-License-Identifier: MIT
import re
from pathlib import Path

import pytest

from glintfpga.firmware.blink.schedule import build_schedule
from glintfpga.hdl.row.sequencer import ControlWord
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
    one_a_lane = ("lane0", "p0_q")
    for name in NAMES:
        for part in one_a_lane:
            others = {name.replace(part, part.replace("0", str(lane))) for lane in range(4)}
            assert others <= set(sim.names())


def test_a_signal_in_parts_is_read_and_written_whole():
    """Yosys splits the control word by what drives its bits, and keeps none that never changes."""
    sim = shipped_sim()
    word = sim.item("machine core sequencer word")
    word.poke((1 << word.width) - 1)
    kept = word.peek()
    assert kept.bit_count() > 12
    word.poke(0)
    assert word.peek() == 0
    for bit in range(word.width):
        word.poke(1 << bit)
        assert word.peek() == kept & 1 << bit


def encoded(word):
    fields = {name: int(getattr(word, name)) for name in word.__dataclass_fields__}
    return int(ControlWord.const(fields).as_bits())


def test_the_control_word_is_that_of_the_schedule():
    schedule = build_schedule(4)
    changed = shipped_sim().item("machine core sequencer word")
    changed.poke((1 << changed.width) - 1)
    kept = changed.peek()
    sim = shipped_sim()
    word, pc = (sim.item(f"machine core sequencer {name}") for name in ("word", "pc"))
    sim.clock_until(pc, schedule.embed, limit=30_000)  # the self-test enters its first token
    seen = set()
    for _ in range(2600):
        assert word.peek() == encoded(schedule.words[pc.peek()]) & kept
        seen.add(pc.peek())
        sim.clock()
    assert seen == set(range(len(schedule.words)))
