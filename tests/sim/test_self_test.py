# SPDX-License-Identifier: MIT
"""One flipped bit of what an image fills fails the self-test of the shipped device."""

import random

import pytest

from glintfpga.firmware.blink.image_format import Section
from glintfpga.firmware.wire.protocol import SelfTest
from glintfpga.hdl.hello_layout import image_at
from glintfpga.hdl.row.machine import power_up_info
from glintfpga.sim.shipped import shipped_sim
from support.shipping.rebuild_sim import CONFIG, default_image

LIMIT = 400_000  # cycles; a wrong number of rows makes it longer
WIDTHS = {Section.DOT: 36, Section.SUM: 36, Section.EMBED: 48, Section.ROPE: 20}


@pytest.fixture(scope="module")
def sim():
    return shipped_sim()


def used_words(sim):
    """Memory, row and width of every word that the image fills."""
    image = default_image()
    info = next(name for name in sim.names() if name.startswith("service hello"))
    first = image_at(power_up_info(CONFIG, image)) + 2  # behind type and length of the field
    words = [(info, at, 8) for at in range(first, first + 4 + len(image.header))]
    rows = {section: len(image.sections[section]) for section in Section}
    table = rows[Section.CONFIG] + rows[Section.TABLE]
    words += [("machine core table table", row, 48) for row in range(table)]
    for section, bank in ((Section.DOT, "dot_bank"), (Section.SUM, "sum_bank")):
        words += [
            (f"machine core lane{row % CONFIG.lanes} {bank}", row // CONFIG.lanes, WIDTHS[section])
            for row in range(rows[section])
        ]
    for section, memory in ((Section.EMBED, "embeddings rows"), (Section.ROPE, "angles rows")):
        words += [(f"machine core {memory}", row, WIDTHS[section]) for row in range(rows[section])]
    return words


def outcome(sim, name=None, row=0, bit=0):
    """Result of the power-up self-test with one bit flipped, and its cycles."""
    sim.reset()
    if name is not None:
        memory = sim.item(name)
        memory.poke(memory.peek(row) ^ 1 << bit, row)
    cycles = sim.clock_until(sim.item("service test busy"), 0, limit=LIMIT)
    return SelfTest(sim.item("service test result").peek()), cycles


def test_it_passes_in_half_a_millisecond(sim):
    result, cycles = outcome(sim)
    assert result == SelfTest.PASSED
    assert cycles / CONFIG.clock_hz < 0.5e-3


def test_a_flipped_bit_in_each_memory(sim):
    rng = random.Random(1)
    by_memory = {}
    for word in used_words(sim):
        by_memory.setdefault(word[0], []).append(word)
    assert len(by_memory) == 4 + 2 * CONFIG.lanes
    for words in by_memory.values():
        for name, row, width in (words[0], words[-1], rng.choice(words)):
            bit = rng.randrange(width)
            assert outcome(sim, name, row, bit)[0] == SelfTest.MEMORY_FAILED, (name, row, bit)


@pytest.mark.slow
def test_a_flipped_bit_in_every_word(sim):
    rng = random.Random(2)
    for name, row, width in used_words(sim):
        bit = rng.randrange(width)
        assert outcome(sim, name, row, bit)[0] == SelfTest.MEMORY_FAILED, (name, row, bit)


def test_a_flipped_bit_of_a_table_that_is_no_part_of_the_image(sim):
    """The memories are right, the logits are not."""
    results = {outcome(sim, "machine core norm rsqrt", row, 13)[0] for row in range(0, 256, 8)}
    assert results == {SelfTest.PASSED, SelfTest.TOKEN_FAILED}
