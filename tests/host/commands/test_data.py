# SPDX-License-Identifier: MIT
import json
import subprocess
import sys

import pytest

LINES = "The miller's seventh daughter counted lanterns along the frozen canal until it was day."


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.txt").write_text("First text of all.\n\nSecond one.")
    (tmp_path / "set.txt").write_text(LINES)
    return tmp_path


@pytest.fixture
def added(command, files):
    arguments = ("--license", "CC0", "--origin", "here", "--by", "Ann")
    code, out, err = command("data", "add", files / "m.json", files / "a.txt", *arguments)
    assert (code, out) == (0, b"")
    assert err.endswith("m.json: 1 source, 1 without a second person's sign-off\n")
    return files / "m.json"


def test_from_text_to_verdict(command, added, files):
    code, out, err = command("data", "check", added, "--eval", files / "set.txt")
    assert code == 2
    assert "is refused: a second person's sign-off is missing for 1 of its sources" in err
    assert command("data", "sign", added, "--by", "Ann")[0] == 2
    assert command("data", "sign", added, "a.txt", "--by", "Ben")[0] == 0
    code, out, err = command("data", "check", added, "--eval", files / "set.txt")
    assert (code, err) == (0, "")
    assert out.decode().splitlines()[0].split() == ["documents", "2"]
    assert (files / "m.check.json").is_file()


def test_json(command, added, files):
    code, out, err = command("data", "check", added, "--eval", files / "set.txt", "--json")
    found = json.loads(out)
    assert code == 2
    assert found["unreviewed"] == ["a.txt"]
    assert len(found["refused"]) == 1


@pytest.mark.quick
def test_overlap_is_shown(command, added, files):
    (files / "a.txt").write_text(LINES)
    code, out, err = command("data", "check", added, "--eval", files / "set.txt")
    assert code == 2
    assert "a.txt#0: shares words with set.txt" in out.decode()
    assert "documents are not from the source stated" in err


def test_another_folder(command, files, tmp_path):
    manifest = tmp_path / "elsewhere" / "m.json"
    manifest.parent.mkdir()
    arguments = ("--license", "CC0", "--origin", "here", "--by", "Ann", "--folder", files)
    assert command("data", "add", manifest, files / "a.txt", *arguments)[0] == 0
    assert command("data", "sign", manifest, "--by", "Ben")[0] == 2
    assert command("data", "sign", manifest, "--by", "Ben", "--folder", files)[0] == 0


def test_fetch_without_the_library(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    code, _, err = command("data", "fetch", tmp_path / "m.json", "--by", "Ann")
    assert code == 3
    assert "pip install 'glintfpga[data]'" in err


def test_needs_no_torch():
    code = (
        "import sys\n"
        "from glintfpga.train.data import corpus, difficulty, fineweb, gate, python_docs\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.stdout.strip(), found.stderr) == ("False", "")
