# SPDX-License-Identifier: MIT
import hashlib

import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.host.models import image_of
from glintfpga.sim.gowin.decode.bitstream import decode
from support.tunable_board import TunableBoard


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """The shipped bitstream, beside its manifest."""
    folder = tmp_path_factory.mktemp("build")
    release = shipped("tangnano20k")
    (folder / "blink.fs").write_bytes(release.bitstream)
    (folder / "manifest.json").write_bytes((release.folder / "manifest.json").read_bytes())
    return folder / "blink.fs"


@pytest.fixture(scope="session")
def one_board(build, tmp_path_factory):
    """A board that remembers what it has computed, and decoded, in all tests."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "manifest.json").write_bytes(build.with_name("manifest.json").read_bytes())
    return TunableBoard(folder, image_of(None), build_hz=54_000_000, limit_hz=85e6)


@pytest.fixture(scope="session")
def decode_once():
    """`decode`, which remembers what it read: the same few files are met again and again."""
    known = {}

    def remembered(path, *, board):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in known:
            known[digest] = decode(path, board=board)
        return known[digest]

    return remembered


@pytest.fixture
def decoding(decode_once, monkeypatch):
    monkeypatch.setattr("glintfpga.sim.gowin.decode.bitstream.decode", decode_once)
    monkeypatch.setattr("support.tunable_board.decode", decode_once)


@pytest.fixture
def board(decoding, one_board, monkeypatch, tmp_path):
    """The board, plugged in, with an empty list of tuned ones and an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("glintfpga.boards.flash.openfpgaloader.loader", lambda: one_board.loader)
    monkeypatch.setattr("glintfpga.host.ports.usb.list_ports.comports", one_board.ports)
    monkeypatch.setattr("glintfpga.host.ports.open_port.SerialLine", one_board.open)
    yield one_board
    one_board.limit_hz, one_board.fault, one_board.image = 85e6, "wrong", image_of(None)
    one_board.serial_number = "2023030621"
    one_board.on_token = lambda clock_hz: None
    one_board.break_loader(broken=False)
    one_board.forget_calls()
