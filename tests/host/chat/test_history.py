# SPDX-License-Identifier: MIT
import os
import stat

import pytest

from glintfpga.host.chat.history import MOST_BYTES, MOST_LINES, ChatHistory, history_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no readline")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "chat-history"


def test_lines_come_back_in_their_order(path):
    first = ChatHistory(path)
    for line in ("a", "é", "b"):
        first.keep(line)
    assert first.lines == []
    assert ChatHistory(path).lines == ["a", "é", "b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.quick
def test_two_chats_at_a_time_keep_the_lines_of_both(path):
    one, other = ChatHistory(path), ChatHistory(path)
    for line in "abcd":
        (one if line in "ac" else other).keep(line)
    assert ChatHistory(path).lines == list("abcd")


def test_what_is_no_line_is_not_kept(path):
    kept = ChatHistory(path)
    for line in ("two\nlines", "\x1b[2J", "x" * 1001, "\udcff"):
        kept.keep(line)
    assert path.read_bytes() == b""


def test_it_is_bounded(path):
    path.parent.mkdir()
    path.write_text("".join(f"{number}\n" for number in range(5000)))
    path.chmod(0o644)
    assert ChatHistory(path).lines == [str(number) for number in range(4000, 5000)]
    assert len(path.read_text().splitlines()) == MOST_LINES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"\xff\0" * MOST_BYTES + b"\nlast\n")
    assert ChatHistory(path).lines == ["last"]
    assert path.read_bytes() == b"last\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("obstacle", ["folder", "pipe", "file"])
def test_without_a_place_nothing_is_kept(path, obstacle):
    if obstacle == "file":
        path.parent.write_text("")
    else:
        path.parent.mkdir()
        path.mkdir() if obstacle == "folder" else os.mkfifo(path)
    kept = ChatHistory(path)
    kept.keep("a")
    assert kept.lines == []


def test_a_full_disk_ends_the_keeping(path):
    kept = ChatHistory(path)
    path.unlink()
    path.symlink_to("/dev/full")
    kept.keep("a")
    path.unlink()
    kept.keep("b")
    assert not path.exists()


def test_the_place_follows_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert history_file() == tmp_path / "glintfpga" / "chat-history"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history_file() == tmp_path / ".local" / "state" / "glintfpga" / "chat-history"
