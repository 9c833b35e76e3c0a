# SPDX-License-Identifier: MIT
"""Bitstreams as the chip gets them; a damaged one in its flash memory leaves a dead board."""

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.boards.catalog import board_of
from glintfpga.boards.gowin.bitstream_file import (
    MAX_BYTES,
    check_bitstream,
    crc16,
    footer,
    header,
    read_frames,
    text_of,
)
from glintfpga.quant.errors import InputError
from support.damage import attempt, damaged, sealed

BOARD = board_of("tangnano20k")


@pytest.fixture(scope="module")
def accepts(tmp_path_factory, small_board):
    path = tmp_path_factory.mktemp("bitstream") / "x.fs"

    def go(data):
        path.write_bytes(data)
        check = partial(check_bitstream, path, board=small_board)
        return attempt(lambda: check() or True, what="bitstream", size=len(data))

    return go


def test_crc_of_the_catalogs():
    """CRC-16/ARC of the usual check string."""
    assert crc16(b"123456789") == 0xBB3D


@pytest.fixture(scope="module")
def frames(fs):
    return [int(line, 2).to_bytes(24, "big")[:16] for line in fs.splitlines()[11:15]]


def test_whole(accepts, fs):
    assert accepts(fs)
    assert accepts(fs.replace(b"\n", b"\r\n"))
    assert accepts(b"//Another comment\n\n" + fs)


@pytest.mark.parametrize("line", [5, 12, -2])
@pytest.mark.parametrize("text", [b"//A comment\n", b"\n"])
def test_comments_come_first(accepts, fs, line, text):
    """Elsewhere another reader may take them for something."""
    lines = fs.splitlines(keepends=True)
    assert accepts(b"".join([*lines[:line], text, *lines[line:]])) is None


def test_written_as_it_was_read(accepts, fs, frames, small_board, tmp_path):
    data = text_of(frames, board=small_board)
    assert data.splitlines() == fs.splitlines()[1:]
    assert accepts(data)
    path = tmp_path / "x.fs"
    path.write_bytes(text_of(frames[:3], board=small_board))
    assert read_frames(path, board=small_board) == frames[:3]


def test_without_block_rams(accepts, frames, small_board):
    assert accepts(sealed(header(small_board, 3), frames[:3], footer(frames[:3])))


def test_cut_off_anywhere(accepts, fs):
    """All but the last newline counts."""
    assert accepts(fs[:-1])
    for size in range(len(fs) - 1):
        assert accepts(fs[:size]) is None, size


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_every_digit_counts(accepts, fs, step):
    for at in range(fs.index(b"\n") + 1, len(fs), step):
        if fs[at : at + 1] == b"\n":
            continue
        flipped = fs[:at] + bytes([fs[at] ^ 1]) + fs[at + 1 :]
        assert accepts(flipped) is None, at


def test_every_bit_of_header_and_footer_counts(accepts, frames, small_board):
    """With CRCs that fit: the field itself is compared."""
    whole = header(small_board, 4), footer(frames[:3])
    assert accepts(sealed(whole[0], frames, whole[1]))
    for part in (0, 1):
        for at, line in enumerate(whole[part]):
            for bit in range(8 * len(line)):
                wrong = [list(whole[0]), list(whole[1])]
                number = int.from_bytes(line, "big") ^ 1 << bit
                wrong[part][at] = number.to_bytes(len(line), "big")
                assert accepts(sealed(wrong[0], frames, wrong[1])) is None, (part, at, bit)


@pytest.mark.quick
@pytest.mark.parametrize("part", (0, 1))
def test_every_line_of_header_and_footer_counts(accepts, frames, small_board, part):
    for at in range(len((header(small_board, 4), footer(frames[:3]))[part])):
        for times in (0, 2):
            lines = [header(small_board, 4), footer(frames[:3])]
            lines[part][at : at + 1] = lines[part][at : at + 1] * times
            assert accepts(sealed(lines[0], frames, lines[1])) is None, (at, times)


def test_sum_of_the_frames(frames):
    """Of 16-bit numbers; that of the real ones is the packer's, as tests of the decoder show."""
    numbers = [int.from_bytes(frames[0][at : at + 2], "big") for at in range(0, 16, 2)]
    assert int.from_bytes(footer(frames[:1])[1][-2:], "big") == sum(numbers) & 0xFFFF
    assert footer([])[0][-2:].hex() == "3473"


@given(st.randoms(use_true_random=False))
def test_damaged(accepts, fs, rng):
    data = damaged(rng, fs)
    if accepts(data):
        assert data.splitlines()[-20:] == fs.splitlines()[-20:]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"0000100000011011", b"0001000000011011", "is for chip 0x0000101b, not for 0x0000081b"),
        (b"1010010111000011", b"1010010111000010", r"is not a bitstream: give a \.fs file"),
        (b"\n0011101110000000", b"\n0011101110010000", "has 3B900004 in its header"),
        (b"\n00111011", b"\n00111010", "has 3A800004 in its header, one for tangnano20k has 3B8"),
        (b"\n00111011", b"\n20111011", "is cut off or damaged before its first frame"),
        (b"0000000000000100\n", b"0000000000000000\n", "has 0 frames, one for tangnano20k has"),
        (b"0000000000000100\n", b"0000000000000011\n", r"is damaged in frame 0 of 3 \(CRC\)"),
        (b"\n00001000", b"\n00001001", "has 09000000 behind its frames, where 08000000 belongs"),
        (b"\n00001000", b"\n2000", "is damaged behind its frames"),
    ],
)
def test_says_what_is_wrong(tmp_path, fs, small_board, old, new, words):
    path = tmp_path / "x.fs"
    assert fs.count(old) >= 1
    path.write_bytes(fs.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        check_bitstream(path, board=small_board)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0" * 4096, b"\xff" * 4096, b"1" * 100_000, b"\n" * 100_000, b"//" * 100_000,
        b"1_0" * 8 + b"\n", b"0b111111\n", b" 1111111\n", "١١١١١١١١\n".encode(),
        b"1" * 16 + b"\n" + b"1010010111000011\n" + b"1" * 8 * 100_000,
    ],
)  # fmt: skip
def test_no_bitstream_at_all(accepts, data):
    assert accepts(data) is None


def test_endless(tmp_path):
    """A file without an end is not read to it."""
    path = tmp_path / "x.fs"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert attempt(lambda: check_bitstream(path, board=BOARD), what="bitstream", size=0) is None
    with pytest.raises(InputError, match=re.escape(repr(str(path)))):
        check_bitstream(path, board=BOARD)
    assert MAX_BYTES < 1 << 25


@pytest.mark.parametrize("name", ["", ".", "x\0y", "a" * 300])
def test_impossible_paths(tmp_path, name):
    path = tmp_path / name
    assert attempt(lambda: check_bitstream(path, board=BOARD), what="bitstream", size=0) is None
