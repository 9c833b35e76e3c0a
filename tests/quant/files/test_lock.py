# SPDX-License-Identifier: MIT
import errno
import os
import subprocess
import sys

import pytest

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files import lock
from glintfpga.quant.files.lock import locked

HOLDER = """
import sys
from pathlib import Path
from glintfpga.quant.files.lock import locked
with locked(Path(sys.argv[1]), what="x"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "new" / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_one_process_at_a_time(holder, tmp_path):
    path = tmp_path / "new" / "lock"
    with pytest.raises(InputError) as caught, locked(path, what="the build in 'new'"):
        pass
    assert str(caught.value) == (
        f"the build in 'new' is going on already, in process {holder.pid}: wait for its end, or "
        "name another folder with --out"
    )
    holder.kill()
    holder.wait()
    with locked(path, what="mine"):
        assert path.read_text() == f"{os.getpid()}\n"
    with locked(path, what="mine again"):
        pass


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        with locked(tmp_path / "file" / "lock", what="x"):
            pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def no_locks(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", no_locks)
    with locked(tmp_path / "lock", what="x"):
        assert (tmp_path / "lock").read_text() == ""


@pytest.mark.quick
def test_windows(tmp_path, monkeypatch):
    """As msvcrt does it: a byte is locked where the file is at, which others cannot read then."""
    held = []

    class Msvcrt:
        LK_NBLCK = 2

        @staticmethod
        def locking(handle, mode, count):
            place = os.lseek(handle, 0, os.SEEK_CUR)
            assert (mode, count) == (2, 1) and place > 1000
            if held:
                raise OSError(errno.EACCES, "Permission denied")
            held.append(place)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt)
    with locked(tmp_path / "lock", what="x"):
        with pytest.raises(InputError, match=f"in process {os.getpid()}: "):
            with locked(tmp_path / "lock", what="y"):
                pass
