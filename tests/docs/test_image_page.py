# SPDX-License-Identifier: MIT
"""Tables of the image page against the code and the shipped image."""

import re
import struct

import pytest

from glintfpga.firmware.blink.image_format import HEADER_BYTES, ROW_BYTES, Section
from glintfpga.quant.blink.plan import PLAN9, PLAN12

TYPES = {"u8": "B", "u16": "H", "u32": "I"}


@pytest.fixture(scope="module")
def page(tables):
    return tables("image.md")


@pytest.fixture(scope="module")
def block_names(python_blocks):
    """What the first block of the page reads, in its order."""
    return re.findall(r"\w+", re.search(r"\((.*?)\) =", python_blocks("image.md")[0], re.S)[1])


def test_header(page, blink, block_names):
    end, names = 0, []
    for at, kind, name, shown, _ in page["at"]:
        assert int(at) == end, name
        kind = TYPES.get(kind, kind)
        (value,) = struct.unpack_from(f"<{kind}", blink.data, end)
        end += struct.calcsize(kind)
        names.append(name)
        if name == "magic":
            assert value.decode() == shown
        elif name == "zero":
            assert not any(value)
        elif name == "model_id":
            assert value.hex().startswith(shown.rstrip("."))
        else:
            assert value == int(shown, 0), name
    assert end == HEADER_BYTES
    assert [name for name in names if name != "zero"] == block_names


def test_sections(page, blink):
    at = HEADER_BYTES
    for name, rows, shown, _ in page["section"]:
        assert int(shown) == at, name
        assert int(rows) == len(blink.sections[Section[name]]), name
        at += ROW_BYTES * int(rows)
    assert at == len(blink.data) - 4
    assert [row[0] for row in page["section"]] == [section.name for section in Section]


def test_words(page, blink):
    for name, at, words, _ in page["row"]:
        section, index = name.split()
        expected = struct.unpack_from("<3H", blink.data, int(at))
        assert tuple(int(word, 0) & 0xFFFF for word in words.split(", ")) == expected, name
        row = blink.sections[Section[section]][int(index)]
        assert tuple(int(word) & 0xFFFF for word in row) == expected, name


@pytest.mark.quick
def test_shifts(page, blink):
    first = blink.model.passes[0]
    for name, of, least, twelve, nine, stored, shift in page["shift"]:
        assert [int(twelve), int(nine)] == [getattr(plan, least) for plan in (PLAN12, PLAN9)], name
        assert int(stored) + int(twelve) == int(shift), name
        expected = blink.model.shift_logit if of == "logits" else getattr(first, f"shift_{of}")
        assert int(shift) == expected, name
