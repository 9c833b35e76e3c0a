# SPDX-License-Identifier: MIT
import errno
import tempfile

import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.atomic import DISK_ERRORS, DRAFT, draft_folder, write_atomic


def test_replaces_a_file(tmp_path):
    path = tmp_path / "file.fs"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.quick
@pytest.mark.parametrize("error", [KeyboardInterrupt(), *(OSError(n, "why") for n in DISK_ERRORS)])
@pytest.mark.parametrize("when", ["write", "close"])
def test_failure_leaves_the_old_content(tmp_path, monkeypatch, error, when):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    real = tempfile.NamedTemporaryFile

    def full(**options):
        file = real(**options)

        def fail(*arguments):
            raise error

        setattr(file, "write" if when == "write" else "flush", fail)
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    kind = EnvironmentProblem if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(kind) as caught:
        write_atomic(path, b"new")
    if kind is EnvironmentProblem:
        assert str(caught.value) == f"cannot write {str(path)!r}: why; {DISK_ERRORS[error.errno]}"
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(EnvironmentProblem, match="cannot write .*/no/x': .* choose another place$"):
        write_atomic(tmp_path / "no" / "x", b"")


def test_a_draft_folder_is_renamed_or_goes(tmp_path):
    target = tmp_path / "new" / "x"
    with draft_folder(target) as draft:
        assert draft.name.startswith(f"{DRAFT}x-") and draft.parent == target.parent
        (draft / "a").write_text("a")
        draft.rename(target)
    assert [path.name for path in target.parent.iterdir()] == ["x"]
    with pytest.raises(KeyError), draft_folder(target) as draft:
        (draft / "a").write_text("b")
        raise KeyError
    with pytest.raises(EnvironmentProblem, match="^cannot write in '.*new': .*; make room"):
        with draft_folder(target):
            raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), draft_folder(target):
        raise PermissionError
    assert (target / "a").read_text() == "a" and len(list(target.parent.iterdir())) == 1
    with pytest.raises(EnvironmentProblem, match="^cannot write in .*choose another place$"):
        with draft_folder(target / "a" / "b"):
            pass
