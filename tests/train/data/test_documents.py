# SPDX-License-Identifier: MIT
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.errors import InputError
from glintfpga.train.data import documents as module
from glintfpga.train.data.documents import documents, split

TEXT = b"Title  \r\nOne.\n\n \n\nTwo.\nThree."


def test_plain_and_packed(tmp_path):
    for name, data in (("a.txt", TEXT), ("a.txt.xz", lzma.compress(TEXT + b"\n\n\n"))):
        (tmp_path / name).write_bytes(data)
        assert list(documents(tmp_path / name)) == [b"Title\nOne.", b"Two.\nThree."]


@given(st.lists(st.lists(st.text("ab c", min_size=1).map(str.rstrip).filter(bool), min_size=1)))
def test_split_undoes_joining(parts):
    lines = [line.encode() for part in parts for line in (*part, "")]
    assert list(split(lines)) == ["\n".join(part).encode() for part in parts]


@pytest.mark.quick
def test_lines_across_pieces(tmp_path):
    rows = [b"x" * n for n in (700_000, 700_000, 3_000_000, 1)]
    (tmp_path / "a.txt").write_bytes(b"\n\n".join(rows))
    assert list(documents(tmp_path / "a.txt")) == rows


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt.xz", lzma.compress(TEXT * 50)[:-9], "cannot read .*a.txt.xz"),
        ("a.txt.xz", b"no xz", "cannot read"),
        ("a.txt", b"good\n\nb\xff\xfed", "document 1 of .* is not UTF-8 .byte 0xff.: convert"),
        ("a.bin", b"", "give a .txt, .txt.xz, .jsonl or .jsonl.xz file"),
    ],
)
def test_hostile(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(documents(tmp_path / name))


def test_missing(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        list(documents(tmp_path / "a.txt"))


@pytest.mark.parametrize("line", [b"x" * 999, b"x\n"])
def test_a_document_without_end(tmp_path, monkeypatch, line):
    """A small packed file may unfold to gigabytes without a blank line, or without any line."""
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 1 << 20)
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(line * ((4 << 20) // len(line)), preset=0))
    with pytest.raises(InputError, match="more than 1048576 bytes: put blank lines"):
        list(documents(tmp_path / "a.txt.xz"))
