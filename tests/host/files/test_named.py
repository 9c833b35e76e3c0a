# SPDX-License-Identifier: MIT
from pathlib import Path

import pytest

from glintfpga.host.files.named import read_bytes, write_bytes
from glintfpga.quant.errors import EnvironmentProblem, InputError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "x"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["x"]


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


@pytest.mark.quick
def test_endless_files_are_refused():
    if not Path("/dev/zero").exists():
        pytest.skip("no endless file here")
    with pytest.raises(InputError, match="is larger than"):
        read_bytes(Path("/dev/zero"), what="model", most=1000)
