# SPDX-License-Identifier: MIT
"""Texts to evaluate on: a few packed bytes that promise gigabytes, and all kinds of damage."""

import json
import lzma
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.evaluation.sets import read_set
from glintfpga.quant.files.text import MAX_TEXT_BYTES, pieces, read_text
from support.damage import attempt, damaged, damaged_json

TEXT = random.Random(1).randbytes(700) + b"to be or not to be " * 40
PACKED = lzma.compress(TEXT)


def packed(data, dictionary):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}]
    return lzma.compress(data, filters=filters)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "a.txt.xz"

    def go(data, **options):
        path.write_bytes(data)
        return attempt(lambda: read_text(path, **options), what="text.xz", size=len(data))

    return go


def test_cut_off_anywhere(read):
    for size in range(len(PACKED)):
        assert read(PACKED[:size]) is None, size


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_every_bit(read, step):
    """The format has reserved bits and padding; text that comes out is the text."""
    for bit in range(0, 8 * len(PACKED), step):
        data = bytearray(PACKED)
        data[bit // 8] ^= 1 << bit % 8
        assert read(bytes(data)) in (None, TEXT)


@given(st.randoms(use_true_random=False))
def test_damaged(read, rng):
    assert read(damaged(rng, PACKED)) in (None, TEXT)


@pytest.mark.parametrize("dictionary", [1 << 27, 1 << 30, (3 << 29)])
def test_a_dictionary_that_nobody_has_room_for(read, dictionary):
    data = bytearray(packed(b"small", 1 << 22))
    at = data.index(b"\x21\x01") + 2  # filter LZMA2, one byte of properties: the dictionary
    code = next(n for n in range(41) if (2 | n & 1) << n // 2 + 11 >= dictionary)
    data[at] = code
    header = bytes(data[12 : 12 + 4 * (data[12] + 1) - 4])
    data[12 + len(header) : 16 + len(header)] = zlib.crc32(header).to_bytes(4, "little")
    assert read(bytes(data)) is None


@pytest.fixture(scope="module")
def bomb():
    """More than the limit, in less than a thousandth of it."""
    packer = lzma.LZMACompressor(preset=0)
    zeros = bytes(1 << 20)
    parts = [packer.compress(zeros) for _ in range((MAX_TEXT_BYTES >> 20) + 2)]
    return b"".join([*parts, packer.flush()])


def test_a_bomb_goes_off_in_pieces(bomb, tmp_path):
    """Whoever reads in pieces never holds more than a few of them."""
    path = tmp_path / "bomb.xz"
    path.write_bytes(bomb)
    assert len(bomb) < MAX_TEXT_BYTES // 1000
    size = attempt(lambda: sum(map(len, pieces(path))), what="text.xz", size=len(bomb))
    assert size == MAX_TEXT_BYTES + (2 << 20)


@pytest.mark.quick
def test_a_bomb_is_read_as_far_as_was_asked(read, bomb):
    assert read(bomb, limit=1000) == bytes(1000)


ROWS = (
    {"page": "a page", "text": "its text"},
    {"sentence_good": "good", "sentence_bad": "bad", "UID": "x", "more": [1, None]},
    {"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
)


@given(st.sampled_from(ROWS), st.randoms(use_true_random=False))
def test_damaged_rows(tmp_path_factory, row, rng):
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    data = json.dumps(row).encode() + b"\n" + damaged_json(rng, row)
    path.write_bytes(data if rng.random() < 0.8 else damaged(rng, data))
    found = attempt(lambda: read_set(path), what="rows", size=len(data))
    assert found is None or len(found.content) in (1, 2)


@pytest.mark.parametrize("name", ["a.txt", "x\0y.txt", f"{'a' * 300}.txt", ".txt", "a.txt.xz"])
def test_impossible_paths(tmp_path, name):
    assert attempt(lambda: read_text(tmp_path / "none" / name), what="text.xz", size=0) is None
