# SPDX-License-Identifier: MIT
import json
import re

import pytest

from glintfpga.host.files.output_folder import RECORD, fill
from glintfpga.quant.errors import EnvironmentProblem, InputError

FILES = {"a.txt": "one\n", "tools/run": "#!/bin/sh\n"}


@pytest.fixture
def filled(tmp_path):
    folder = tmp_path / "some" / "folder"
    fill(folder, FILES, {"board": "x"})
    return folder


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_and_record(filled):
    found = contents(filled)
    record = json.loads(found.pop(RECORD))
    assert found == FILES
    assert record["board"] == "x"
    assert set(record["files"]) == set(FILES)
    assert (filled / "tools/run").stat().st_mode & 0o100
    assert not (filled / "a.txt").stat().st_mode & 0o111


def test_again(filled):
    (filled / "mine.txt").write_text("mine")
    fill(filled, {"a.txt": "two", "b.txt": "three"}, {})
    found = contents(filled)
    assert json.loads(found.pop(RECORD))["files"].keys() == {"a.txt", "b.txt"}
    assert found == {"a.txt": "two", "b.txt": "three", "mine.txt": "mine"}


def test_an_empty_folder_will_do(tmp_path):
    fill(tmp_path, FILES, {})
    assert (tmp_path / "a.txt").read_text() == "one\n"


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds 'thesis.tex', which no export wrote"):
        fill(tmp_path, FILES, {})
    assert contents(tmp_path) == {"thesis.tex": "x"}
    with pytest.raises(InputError, match=r"thesis.tex' is a file; name a folder$"):
        fill(tmp_path / "thesis.tex", FILES, {})


@pytest.mark.parametrize(
    "name, files", [("a.txt", FILES), ("a.txt", {"b.txt": ""}), ("new.txt", {"new.txt": ""})]
)
def test_what_the_user_changed_stays(filled, name, files):
    (filled / name).write_text("changed")
    before = contents(filled)
    with pytest.raises(InputError, match=re.escape(f"{str(filled / name)!r} was not left so")):
        fill(filled, files, {})
    assert contents(filled) == before


def test_a_folder_in_the_place_of_a_file(filled):
    (filled / "new.txt").mkdir()
    with pytest.raises(InputError, match=r"new.txt' was not left so"):
        fill(filled, {"new.txt": ""}, {})


@pytest.mark.quick
@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "a/../../outside.txt", ""])
def test_a_record_cannot_name_files_elsewhere(filled, name):
    (filled.parent / "outside.txt").write_text("x")
    (filled / RECORD).write_text(json.dumps({"files": {name: "0" * 64}}))
    with pytest.raises(InputError, match=r"export.json' is damaged; name another folder$"):
        fill(filled, FILES, {})
    assert (filled.parent / "outside.txt").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}'])
def test_damaged_records(filled, text):
    (filled / RECORD).write_text(text)
    with pytest.raises(InputError):
        fill(filled, {}, {})
    assert (filled / "a.txt").exists()


def test_a_failure_leaves_whole_files(filled, monkeypatch):
    def full(path, data):
        raise EnvironmentProblem("the disk is full")

    monkeypatch.setattr("glintfpga.host.files.output_folder.write_bytes", full)
    with pytest.raises(EnvironmentProblem):
        fill(filled, {"a.txt": "two"}, {})
    assert (filled / "a.txt").read_text() == "one\n"
    assert not list(filled.glob(".*"))
