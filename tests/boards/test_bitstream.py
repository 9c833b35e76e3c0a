# SPDX-License-Identifier: MIT
"""Bitstreams as the chip gets them; a damaged one in its flash memory leaves a dead board."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.boards.bitstream import MAX_BYTES, check_bitstream, crc16
from glintfpga.boards.board import board_of
from glintfpga.quant.errors import InputError
from glintfpga.sim.damage import attempt, damaged

BOARD = board_of("tangnano20k")


@pytest.fixture(scope="module")
def accepts(tmp_path_factory):
    path = tmp_path_factory.mktemp("bitstream") / "x.fs"

    def go(data):
        path.write_bytes(data)
        return attempt(
            lambda: check_bitstream(path, board=BOARD) or True, what="bitstream", size=len(data)
        )

    return go


def commands(data):
    """What reaches the chip: the digits, without comments and empty lines."""
    return [line for line in data.splitlines() if line and not line.startswith(b"//")]


def test_crc_of_the_catalogs():
    """CRC-16/ARC of the usual check string."""
    assert crc16(b"123456789") == 0xBB3D


def test_whole(accepts, fs):
    assert accepts(fs)
    assert accepts(fs.replace(b"\n", b"\r\n"))
    assert accepts(fs + b"\n//End\n")


def test_cut_off_anywhere(accepts, fs):
    """All may go that comes behind the command that ends it."""
    done = fs.index(b"\n" + b"00001000" + b"0" * 24) + 33
    for size in range(len(fs)):
        assert (accepts(fs[:size]) is True) == (size >= done), size


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_every_digit_of_a_frame_counts(accepts, fs, step):
    frames = fs.index(b"\n", fs.index(b"\n00111011") + 1) + 1
    end = fs.index(b"\n00001000") - 1
    for at in range(frames, end, step):
        if fs[at : at + 1] == b"\n":
            continue
        flipped = fs[:at] + bytes([fs[at] ^ 1]) + fs[at + 1 :]
        assert accepts(flipped) is None, at


@given(st.randoms(use_true_random=False))
def test_damaged(accepts, fs, rng):
    data = damaged(rng, fs)
    if accepts(data):
        changed = [a != b for a, b in zip(commands(fs), commands(data), strict=False)]
        frames = changed[4:-2]
        assert not any(frames)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"0000100000011011", b"0001000000011011", "is for chip 0x0000101b, not for 0x0000081b"),
        (b"1010010111000011", b"1010010111000010", r"is not a bitstream: give a \.fs file"),
        (b"\n0011101110000000", b"\n0011101110010000", r"CRC\)|cut off"),
        (b"\n00111011", b"\n00111010", "cut off before its first frame"),
        (b"0000000000000100\n", b"0000000000000000\n", "has no frames"),
        (b"0000000000000100\n", b"1111111111111111\n", r"frame 0 of 65535 \(CRC\)"),
        (b"\n00001000", b"\n00001001", "cut off behind its frames"),
        (b"\n00001000", b"\n2000", "is damaged behind its frames"),
    ],
)
def test_says_what_is_wrong(tmp_path, fs, old, new, words):
    path = tmp_path / "x.fs"
    assert fs.count(old) >= 1
    path.write_bytes(fs.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        check_bitstream(path, board=BOARD)


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
