# SPDX-License-Identifier: MIT
from pathlib import Path

import pytest

from glintfpga.host import files
from glintfpga.host.files import read_bytes, replacing, write_bytes
from glintfpga.quant.errors import EnvironmentProblem, InputError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "x"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["x"]
    assert path.stat().st_mode & 0o777 == files._usual_mode()


def test_failure_leaves_the_old_content(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        write_bytes(tmp_path, b"")
    with pytest.raises(EnvironmentProblem, match="cannot write .* choose another place"):
        write_bytes(tmp_path / "file" / "x", b"")


@pytest.mark.parametrize("name", ["missing", "", "a\0b", "x" * 300])
def test_names_that_cannot_be_read(tmp_path, name):
    with pytest.raises(InputError, match="the model "):
        read_bytes(tmp_path / name, what="model")


def test_endless_files_are_refused(monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    if not Path("/dev/zero").exists():
        pytest.skip("no endless file here")
    with pytest.raises(InputError, match="is larger than"):
        read_bytes(Path("/dev/zero"), what="model")
