# SPDX-License-Identifier: MIT
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files import native
from glintfpga.quant.files.native import compile_cached, compile_sources, made_cached, run_compiler

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="compilers of POSIX systems")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    native._folder_of_this_process.cache_clear()
    yield tmp_path / "cache" / "glintfpga" / "native"
    native._folder_of_this_process.cache_clear()


class Compiler:
    """Counts its runs."""

    def __init__(self, folder):
        self.log = folder / "log"
        self.command = ("sh", "-c", f'echo run >> {self.log}; cp "$3" "$2"', "cc")

    def __call__(self, text="echo one", name="tool.run", key=()):
        return compile_cached(
            name, self.command, {"tool.sh": text, "other.h": ""}, what="the tool", key=key
        )

    @property
    def runs(self):
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def compiler(cache, tmp_path):
    # `-o built source` are $1, $2 and $3.
    return Compiler(tmp_path)


def test_compiles_once_and_keeps_it_for_its_owner_alone(compiler, cache):
    path = compiler()
    assert path.parent == cache and list(cache.iterdir()) == [path]
    assert path.name.startswith("tool-") and path.suffix == ".run"
    assert path.read_text() == "echo one"
    assert [p.stat().st_mode & 0o777 for p in (path, cache, cache.parent)] == [0o700] * 3
    assert subprocess.run(["sh", path], capture_output=True, check=True).stdout == b"one\n"
    assert compiler() == path and compiler.runs == 1


def test_whatever_the_result_depends_on_is_in_its_name(compiler):
    paths = {compiler(), compiler("echo two"), compiler(key=["-O3"]), compiler(name="a.run")}
    assert len(paths) == compiler.runs == 4


@pytest.mark.quick
@pytest.mark.parametrize(
    "expose",
    [
        lambda path: path.chmod(0o770),
        lambda path: path.chmod(0o702),
        lambda path: path.unlink(),
        lambda path: path.replace(path.with_name("x")) and path.symlink_to(path.with_name("x")),
    ],
    ids=["group", "world", "gone", "link"],
)
def test_a_file_that_others_may_have_written_is_replaced(compiler, expose):
    path = compiler()
    expose(path)
    assert compiler() == path and compiler.runs == 2
    assert not path.is_symlink() and path.stat().st_mode & 0o777 == 0o700
    assert compiler() == path and compiler.runs == 2


def test_a_folder_that_others_can_write_to_is_not_used(compiler, cache):
    kept = compiler()
    cache.chmod(0o770)
    path = compiler()
    assert path != kept and path.parent.stat().st_mode & 0o777 == 0o700
    assert compiler() == path and compiler.runs == 2


def test_the_cache_is_closed_to_others(compiler, cache):
    """As an older version made it under a umask of 002."""
    kept = compiler()
    cache.parent.chmod(0o775)
    assert compiler() == kept and compiler.runs == 1
    assert cache.parent.stat().st_mode & 0o777 == 0o755


def test_a_full_disk(cache):
    def make(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(EnvironmentProblem, match="^cannot write in .*No space left.*make room"):
        made_cached("a.so", ["key"], make)
    assert not list(cache.glob("*"))


@pytest.mark.parametrize("place", ["/proc/nosuch", "/dev/null", "/sys"])
def test_a_place_that_cannot_be_written(compiler, monkeypatch, place):
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert compiler().read_text() == "echo one"
    assert compiler() and compiler.runs == 1


def test_no_home(compiler, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert compiler().read_text() == "echo one"


def test_system_that_does_not_tell_owners(compiler, cache, monkeypatch):
    monkeypatch.delattr(os, "geteuid")
    assert compiler().parent == cache


def test_a_failure_is_one_line_and_leaves_nothing(cache):
    command = ("sh", "-c", "echo note; echo warning >&2; echo x.c:1: error: y >&2; exit 1")
    with pytest.raises(EnvironmentProblem, match=r"^the tool could .* 'x\.c:1: error: y'$"):
        compile_cached("tool", command, {"x.c": ""}, what="the tool")
    assert list(cache.iterdir()) == []
    with pytest.raises(EnvironmentProblem, match="'no message'"):
        run_compiler(["false"], "the tool")
    with pytest.raises(EnvironmentProblem, match="'no luck'"):
        run_compiler(["sh", "-c", "echo no luck >&2; exit 3"], "the tool")


def test_the_first_source_is_compiled_with_the_libraries_behind_it(tmp_path):
    command = ("sh", "-c", 'echo "$@" > args; cp args "$2"', "cc")
    made = run_in(tmp_path, command)
    assert made.split() == ["-o", str(tmp_path / "built"), str(tmp_path / "a.c"), "-lm"]
    assert (tmp_path / "b.h").read_text() == "b"


def run_in(folder, command):
    script = f"cd {folder}; " + command[2]
    sources = {"a.c": "a", "b.h": "b"}
    built = compile_sources(
        folder, (*command[:2], script, "cc"), sources, what="", libraries=["-lm"]
    )
    return built.read_text()
