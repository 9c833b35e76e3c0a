# SPDX-License-Identifier: MIT
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from glintfpga.boards.shipped import read_release, shipped
from glintfpga.host.models import DEFAULT_MODEL, image_of
from glintfpga.quant.errors import InputError
from support.shipping import renew_release as module
from support.shipping.renew_release import differences, main, renew

BOARD = "tangnano20k"
FILES = {"blink.fs.xz", "manifest.json", "report.json", "floorplan.json"}


@pytest.fixture
def fresh(monkeypatch):
    """Takes every build for one of this source tree."""
    monkeypatch.setattr(module, "differences", lambda manifest: [])


@pytest.fixture
def build(write_build, tmp_path):
    folder = tmp_path / "build"
    write_build(folder)
    for name in ("report.json", "floorplan.json"):
        (folder / name).write_text(f'"{name}"\n')
    return folder


@pytest.fixture(scope="module")
def manifest():
    return shipped(BOARD).manifest


class TestShipped:
    """Of the files in the repository."""

    def test_is_of_this_source(self, manifest):
        assert differences(manifest) == [], "run make build, then make release"

    def test_has_the_default_model(self, manifest):
        assert manifest.model == DEFAULT_MODEL
        assert manifest.image_sha256 == hashlib.sha256(image_of(None).data).hexdigest()


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"lanes": 8}, ["settings"]),
        ({"plan": 9}, ["settings"]),
        ({"clock_mhz": 81.0}, ["settings"]),
        ({"seed": 2}, ["settings"]),
        ({"model": None, "image_sha256": None}, ["model"]),
        ({"model": "other"}, ["model"]),
        ({"image_sha256": "0" * 64}, ["model"]),
        ({"gateware_sha256": "0" * 64}, ["gateware"]),
        ({"contents_sha256": "0" * 64}, ["contents"]),
        ({"gateware_sha256": "0" * 64, "contents_sha256": "0" * 64}, ["gateware", "contents"]),
    ],
)
def test_differences(manifest, monkeypatch, change, expected):
    # What this tree elaborates to is the affair of TestShipped.
    made = {key: getattr(manifest, key) for key in ("gateware_sha256", "contents_sha256")}
    monkeypatch.setattr(module, "_elaborated", lambda manifest, board, image: made)
    assert differences(manifest) == []
    assert differences(replace(manifest, **change)) == expected


def test_build_id_is_in_the_contents_alone(manifest):
    other = replace(manifest, build_id="0" * 16)
    assert differences(other) == ["contents"]


def test_renew(build, tmp_path, fresh):
    target = renew(build, board=BOARD, root=tmp_path / "release")
    assert target == tmp_path / "release" / BOARD
    assert {path.name for path in target.iterdir()} == FILES
    release = read_release(target, board=BOARD)
    assert release.bitstream == (build / "blink.fs").read_bytes()
    for name in ("manifest.json", "report.json", "floorplan.json"):
        assert (target / name).read_bytes() == (build / name).read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [BOARD]


def test_renew_again_gives_the_same_bytes_and_drops_what_is_gone(build, tmp_path, fresh):
    root = tmp_path / "release"
    target = renew(build, board=BOARD, root=root)
    first = (target / "blink.fs.xz").read_bytes()
    (build / "floorplan.json").unlink()
    renew(build, board=BOARD, root=root)
    assert {path.name for path in target.iterdir()} == FILES - {"floorplan.json"}
    assert (target / "blink.fs.xz").read_bytes() == first
    assert [path.name for path in root.iterdir()] == [BOARD]


def test_refused_builds_leave_the_release_as_it_is(build, write_build, tmp_path, monkeypatch):
    root = tmp_path / "release"
    with monkeypatch.context() as patch:
        patch.setattr(module, "differences", lambda manifest: [])
        target = renew(build, board=BOARD, root=root)
        before = {path.name: path.read_bytes() for path in target.iterdir()}
        (build / "blink.fs").write_bytes(b"1111\n")
        with pytest.raises(InputError, match="damaged or half written"):
            renew(build, board=BOARD, root=root)
        write_build(build, bitstream="other.fs")
        with pytest.raises(InputError, match=r"there is no manifest\.json of .*: run make build"):
            renew(build, board=BOARD, root=root)
        write_build(build, data=b"2222\n" * 100)
        patch.setattr(module, "pack", lambda data: b"rubbish" * 9)
        with pytest.raises(InputError, match="cannot be unpacked"):
            renew(build, board=BOARD, root=root)
    write_build(build, seed=2)
    with pytest.raises(InputError, match="not of this source tree, settings differ: run make b"):
        renew(build, board=BOARD, root=root)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert [path.name for path in root.iterdir()] == [BOARD]


@pytest.mark.quick
def test_a_failed_swap_puts_the_old_release_back(build, tmp_path, fresh, monkeypatch):
    root = tmp_path / "release"
    target = renew(build, board=BOARD, root=root)
    rename = Path.rename

    def fail(path, other):
        if path.name == "new":
            raise OSError("disk full")
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="disk full"):
        renew(build, board=BOARD, root=root)
    assert read_release(target, board=BOARD)
    assert [path.name for path in root.iterdir()] == [BOARD]


def test_command_line(build, tmp_path, fresh, monkeypatch, caplog):
    root = tmp_path / "release"
    monkeypatch.setattr(module, "release_folder", lambda: root)
    caplog.set_level("INFO", logger="glintfpga.boards")
    monkeypatch.setattr("sys.argv", ["renew", "--build", str(build)])
    assert main() == 0
    assert caplog.messages == [f"renewed {root / BOARD}"]
    monkeypatch.setattr("sys.argv", ["renew", "--build", str(tmp_path)])
    assert main() == 2
    assert caplog.messages[-1].endswith("run make build first")
    monkeypatch.setattr("sys.argv", ["renew", "--check"])
    assert main() == 0
    monkeypatch.setattr(module, "differences", lambda manifest: ["gateware", "contents"])
    assert main() == 1
    assert "stale (gateware and contents): run make release" in caplog.messages[-1]
