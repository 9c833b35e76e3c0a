# SPDX-License-Identifier: MIT
import lzma

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.quant.files import text
from glintfpga.quant.files.text import pieces, read_text

TEXT = b"caf\xc3\xa9\n"


def test_both_kinds(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.xz"
    plain.write_bytes(TEXT)
    packed.write_bytes(lzma.compress(TEXT, preset=9))
    assert read_text(plain) == read_text(packed) == TEXT
    assert read_text(plain, limit=3) == read_text(packed, limit=3) == TEXT[:3]


def test_pieces_are_small(tmp_path):
    path = tmp_path / "a.txt.xz"
    path.write_bytes(lzma.compress(bytes(5 << 20), preset=0))
    sizes = [len(piece) for piece in pieces(path)]
    assert sum(sizes) == 5 << 20
    assert max(sizes) <= 1 << 20


@pytest.mark.quick
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-20],
        lambda data: b"no" + data,
        lambda data: data + b"more",
        lambda data: data + data,
        lambda data: b"",
    ],
)
def test_damaged(tmp_path, damage):
    path = tmp_path / "a.txt.xz"
    path.write_bytes(damage(lzma.compress(b"x" * 1000)))
    with pytest.raises(InputError, match="cannot read"):
        read_text(path)


def test_a_limit_reads_no_further_than_it_needs(tmp_path):
    path = tmp_path / "a.txt.xz"
    path.write_bytes(lzma.compress(bytes(range(256)) * 10_000)[:-20])
    assert read_text(path, limit=5) == bytes(range(5))


def test_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_TEXT_BYTES", 5)
    path = tmp_path / "a.txt"
    path.write_bytes(b"123456")
    with pytest.raises(InputError, match="more than 5 bytes: cut it"):
        read_text(path)
    assert read_text(path, limit=7) == b"12345"


def test_missing_and_other(tmp_path):
    with pytest.raises(InputError, match="cannot read .*No such file"):
        read_text(tmp_path / "a.txt")
    with pytest.raises(InputError, match="cannot read .*null"):
        read_text("a\0.txt")
    with pytest.raises(InputError, match="give a .txt or .txt.xz file"):
        read_text(tmp_path / "a.json")
