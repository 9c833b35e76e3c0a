# SPDX-License-Identifier: MIT
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import pytest

from glintfpga.boards import shipped as module
from glintfpga.boards.shipped import shipped
from glintfpga.quant.errors import EnvironmentProblem

BOARD = "tangnano20k"
BUILT = Path("build", BOARD, "blink.fs")


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """An empty working folder and a flash tool that only notes what it is given."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr("glintfpga.host.ports.usb.list_ports.comports", list)
    written = []

    def flash(path, **options):
        written.append((path, path.read_bytes(), options["persist"]))

    monkeypatch.setattr("glintfpga.boards.flash.openfpgaloader.flash", flash)
    yield written
    assert not list(temporary.iterdir())


def test_shipped_without_a_build(command, desk):
    code, out, err = command("flash")
    assert (code, out) == (0, b"")
    manifest = shipped(BOARD).manifest
    facts = (
        f"blink-base, {manifest.clock_mhz:g} MHz, {manifest.lanes} lanes, 12-bit numbers, "
        f"build {manifest.build_id}"
    )
    assert err.splitlines() == [
        f"writing the shipped bitstream ({facts}) to the FPGA",
        "done; next: glintfpga chat",
    ]
    ((path, data, persist),) = desk
    assert hashlib.sha256(data).hexdigest() == manifest.bitstream_sha256
    assert path.suffix == ".fs" and not path.exists() and not persist


def test_last_build_before_the_shipped_one(command, desk, write_build):
    facts = {"model": "mine", "clock_mhz": 81.0, "lanes": 2}
    data = write_build(BUILT.parent, **facts).read_bytes()
    code, _, err = command("flash", "--persist")
    assert code == 0
    assert err.startswith(
        f"writing the last build, {BUILT} (mine, 81 MHz, 2 lanes, 12-bit numbers, "
        "build 0123456789abcdef) to the flash memory\n"
    )
    assert desk == [(BUILT, data, True)]
    assert BUILT.exists()


def test_as_json(command, desk, write_build):
    facts = json.loads(command("flash", "--json")[1])
    assert (facts["board"], facts["persist"]) == (BOARD, False)
    assert facts["bitstream_sha256"] == shipped(BOARD).manifest.bitstream_sha256
    assert facts["manifest"]["model"] == "blink-base"
    path = write_build(BUILT.parent / "other")
    path.with_name("manifest.json").unlink()
    facts = json.loads(command("flash", path, "--json")[1])
    assert facts["manifest"] is None and str(path) in facts["what"]


def test_build_without_a_manifest(command, desk, write_build):
    data = write_build(BUILT.parent).read_bytes()
    BUILT.with_name("manifest.json").unlink()
    code, _, err = command("flash")
    assert code == 0
    assert f"the last build, {BUILT} (without a manifest) to the FPGA" in err
    assert desk == [(BUILT, data, False)]


@pytest.mark.parametrize("named", [(), (BUILT,)])
def test_truncated_build_is_refused(command, desk, write_build, named):
    data = write_build(BUILT.parent).read_bytes()
    BUILT.write_bytes(data[:-3])
    code, _, err = command("flash", *named)
    assert code == 2
    assert "it is damaged or half written, build it again" in err
    assert desk == []


@pytest.mark.quick
def test_lying_or_damaged_manifest_is_refused(command, desk, write_build):
    write_build(BUILT.parent, build_id="x")
    assert command("flash")[0] == 2
    BUILT.with_name("manifest.json").write_text("{")
    assert command("flash")[0] == 2
    assert desk == []


def test_build_for_another_board_is_refused(command, desk, write_build):
    write_build(BUILT.parent, board="other")
    code, _, err = command("flash")
    assert code == 2
    assert "is for the board 'other', not for 'tangnano20k'" in err
    assert desk == []


def test_named_file(command, desk, write_build, tmp_path):
    write_build(BUILT.parent)
    other = tmp_path / "other.fs"
    other.write_bytes(b"1111\n")
    code, _, err = command("flash", other)
    assert code == 0
    assert f"writing {other} (without a manifest) to the FPGA" in err
    assert desk == [(other, b"1111\n", False)]


def test_damaged_release(command, desk, monkeypatch, tmp_path):
    shutil.copytree(module.release_folder(), tmp_path / "release")
    monkeypatch.setattr(module, "release_folder", lambda: tmp_path / "release")
    path = tmp_path / "release" / BOARD / "blink.fs.xz"
    path.write_bytes(path.read_bytes()[:-1])
    code, _, err = command("flash")
    assert code == 3
    assert "the shipped bitstream is damaged, install glintfpga again" in err
    shutil.rmtree(tmp_path / "release")
    code, _, err = command("flash")
    assert code == 2
    assert "run: glintfpga build --board tangnano20k" in err
    assert desk == []


def test_missing_flash_tool(command, desk, monkeypatch):
    def missing(path, **options):
        raise EnvironmentProblem("the flash tool is not installed")

    monkeypatch.setattr("glintfpga.boards.flash.openfpgaloader.flash", missing)
    code, _, err = command("flash")
    assert code == 3
    assert err.endswith("error: the flash tool is not installed\n")


def test_unknown_board(command, desk):
    code, _, err = command("flash", "--board", "../nothing")
    assert code == 2
    assert "unknown board '../nothing'" in err
