# SPDX-License-Identifier: MIT
import importlib
import json
import os
from pathlib import Path

import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.host.files.outputs import (
    BUILD,
    IMAGE,
    PAGE,
    PROOF,
    RANGES,
    TRACE,
    Output,
    check_folder,
    same,
)
from glintfpga.quant.errors import InputError

SHIPPED = Path(str(importlib.resources.files("glintfpga.train"))) / "release/blink-base"
KINDS = {kind.name: kind for kind in (IMAGE, PAGE, PROOF, RANGES, TRACE, *BUILD.values())}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file of each kind, as the commands write it."""
    from glintfpga.host.cli import run

    folder = tmp_path_factory.mktemp("written")
    page, ranges = folder / "page.html", folder / "ranges.json"
    assert run(["-q", "report", "-o", str(page)]) == 0
    assert run(["-q", "quantize", "blink-base", "--report", str(ranges)]) == 0
    release = shipped("tangnano20k")
    return {
        IMAGE.name: (SHIPPED / "model.glint").read_bytes(),
        PAGE.name: page.read_bytes(),
        RANGES.name: ranges.read_bytes(),
        TRACE.name: b"$timescale 1 ps $end\n$var wire 1 ! clk $end\n",
        PROOF.name: (release.folder / "proof.json").read_bytes(),
        BUILD["blink.fs"].name: release.bitstream,
        BUILD["timing.json"].name: json.dumps(
            json.loads((release.folder / "report.json").read_text())["timing"]
        ).encode(),
        **{
            BUILD[name].name: (release.folder / name).read_bytes()
            for name in ("report.json", "floorplan.json", "manifest.json")
        },
    }


FOREIGN = {
    "a checkpoint": (SHIPPED / "model.safetensors").read_bytes(),
    "a list": b'["bitstream", "utilization", "columns"]',
    "notes": b"plan: buy milk\n",
    "a page": b"<!doctype html>\n<html><head><title>My page</title></head></html>",
    "settings": b'{"editor": "vi", "tabs": 4}',
    "an archive": b"PK\x03\x04 and more",
    "a program": b"\x7fELF\x02\x01\x01\x00",
}


def test_each_kind_knows_its_own_files(written):
    assert written.keys() == KINDS.keys()
    for name, data in written.items():
        assert [kind for kind in KINDS if KINDS[kind].begins(data)] == [name]
        assert KINDS[name].begins(b"")


@pytest.mark.parametrize("what", FOREIGN)
def test_no_kind_takes_other_files(what):
    assert [name for name, kind in KINDS.items() if kind.begins(FOREIGN[what])] == []


def test_its_own_kind_is_replaced(tmp_path, written):
    path = tmp_path / "x.glint"
    for _ in range(2):
        Output(path=path, kind=IMAGE).write(written[IMAGE.name])
    assert path.read_bytes() == written[IMAGE.name]


def test_a_file_that_appears_meanwhile_stays(tmp_path):
    output = Output(path=tmp_path / "x", kind=IMAGE)
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(InputError, match="is there and not a .glint image; name another file"):
        output.write(b"GLNT")
    assert (tmp_path / "x").read_bytes() == b"mine"


@pytest.mark.quick
def test_one_file_under_many_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("c")
    path.touch()
    os.link(path, "hard")
    Path("soft").symlink_to(path)
    Path("loop").symlink_to("loop")
    for name in ("c", "hard", "soft", "../" + tmp_path.name + "/c", str(tmp_path / "c")):
        assert same(Path(name), path) and same(path, Path(name))
    assert same(Path("new"), tmp_path / "new")
    assert not same(Path("new"), path) and not same(Path("loop"), path)


def test_names_are_escaped(tmp_path):
    output = Output(path=tmp_path / "a\n\x1b[31mb", kind=IMAGE)
    assert str(output).endswith(r"/a \x1b[31mb")


COMMANDS = [
    ("quantize", "MODEL", "-o", "FILE"),
    ("quantize", "MODEL", "--report", "FILE"),
    ("report", "-o", "FILE"),
    ("report", "--model", "MODEL", "-o", "FILE"),
    ("sim", "--trace", "FILE"),
    ("prove", "--shipped", "--out", "FILE"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("what", ["hard link", "symbolic link", *FOREIGN])
def test_no_command_destroys_a_file(command, tmp_path, arguments, what):
    model, file = tmp_path / "c.safetensors", tmp_path / "there"
    data = FOREIGN["a checkpoint"]
    model.write_bytes(data)
    if what == "hard link":
        os.link(model, file)
    elif what == "symbolic link":
        file.symlink_to(model)
    else:
        file.write_bytes(data := FOREIGN[what])
    words = [{"MODEL": model, "FILE": file}.get(word, word) for word in arguments]
    code, out, err = command(*words)
    assert (code, out) == (2, b"")
    assert err.startswith(f"error: the output {str(file)!r} ") and err.count("\n") == 1
    assert "are one file; name another" in err or "; name another file, or move" in err
    assert file.read_bytes() == data and model.read_bytes() == FOREIGN["a checkpoint"]


def test_no_command_writes_two_things_into_one_file(command, tmp_path):
    path = tmp_path / "new"
    code, _, err = command("quantize", "blink-base", "-o", path, "--report", path)
    assert (code, path.exists()) == (2, False)
    assert err == f"error: the output {str(path)!r} and {str(path)!r} are one file; name another\n"


@pytest.mark.parametrize("name", BUILD)
def test_a_build_destroys_no_file(command, tmp_path, name):
    (tmp_path / name).write_text("mine")
    code, _, err = command("build", "--out", tmp_path)
    assert code == 2
    assert f"{name}' is there and not {BUILD[name].name}; name another file" in err
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["best.safetensors", "loss.svg"])
def test_a_training_destroys_no_file(command, tmp_path, name):
    (tmp_path / name).write_text("mine")
    code, _, err = command("train", "--out", tmp_path)
    assert (code, [path.name for path in tmp_path.iterdir()]) == (2, [name])
    assert err == (
        f"error: {str(tmp_path / name)!r} is not of a training, which would replace it; name "
        "another folder, or move it away\n"
    )


def test_a_release_destroys_no_file(command, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    code, _, err = command("release", tmp_path / "run", "--name", ".", "--out", tmp_path)
    assert code == 2
    assert "README.md' is not of a release" in err
    check_folder(tmp_path, record="README.md", files=["README.md"], what="itself")


def test_a_manifest_is_no_text_of_itself(command, tmp_path):
    path = tmp_path / "text.json"
    code, _, err = command(
        *("data", "add", path, path, "--license", "x", "--origin", "y", "--by", "z")
    )
    assert (code, err) == (
        2,
        f"error: {str(path)!r} is the manifest itself; name files of text\n",
    )


def test_a_check_destroys_no_file(command, tmp_path):
    (tmp_path / "text.json").write_text('{"version": 1, "sources": []}')
    (tmp_path / "text.check.json").write_text("mine")
    code, _, err = command("data", "check", tmp_path / "text.json")
    assert code == 2 and "is there and not a record of glintfpga data check" in err
    assert (tmp_path / "text.check.json").read_text() == "mine"


def test_a_dash_is_no_output(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("quantize", "blink-base", "-o", "-")
    assert (code, out) == (2, b"")
    assert err == "error: the output '-' would be a file of that name; name another\n"
    assert not (tmp_path / "-").exists()
