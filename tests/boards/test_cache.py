# SPDX-License-Identifier: MIT
import errno
import os

import pytest

from glintfpga.boards.cache import Cache, digest_of
from glintfpga.quant.errors import EnvironmentProblem


def writer(text, calls):
    def make(folder):
        calls.append(text)
        (folder / "result.txt").write_text(text)

    return make


def test_a_step_runs_once_per_input(tmp_path):
    cache = Cache(tmp_path / "cache")
    calls = []
    first = cache.step("synth", ["a", "b"], writer("one", calls))
    again = cache.step("synth", ["a", "b"], writer("two", calls))
    other = cache.step("synth", ["ab", ""], writer("three", calls))
    assert calls == ["one", "three"]
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert again.folder == first.folder and again.digests == first.digests
    assert again.seconds == first.seconds
    assert again.path("result.txt").read_text() == "one"


@pytest.mark.quick
def test_a_damaged_result_is_made_again(tmp_path):
    cache = Cache(tmp_path)
    calls = []
    result = cache.step("pack", ["a"], writer("good", calls))
    result.path("result.txt").write_text("bad")
    result = cache.step("pack", ["a"], writer("good", calls))
    assert not result.cached and result.path("result.txt").read_text() == "good"
    (result.folder / "step.json").write_text("{")
    assert not cache.step("pack", ["a"], writer("good", calls)).cached
    result.path("result.txt").unlink()
    assert not cache.step("pack", ["a"], writer("good", calls)).cached
    assert len(calls) == 4


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_step_leaves_nothing(tmp_path, error):
    def make(folder):
        (folder / "half").write_text("")
        raise error

    with pytest.raises(error):
        Cache(tmp_path).step("route", ["a"], make)
    assert list((tmp_path / "route").iterdir()) == []


def test_drafts_of_builds_that_were_killed_go(tmp_path):
    cache = Cache(tmp_path)
    done = cache.step("route", ["a"], writer("one", []))
    for step, name in (("route", ".0123-x1y2"), ("pack", ".4567-z3")):
        (tmp_path / step / name).mkdir(parents=True)
        (tmp_path / step / name / "half").touch()
    cache.remove_drafts()
    assert list(tmp_path.glob("*/*")) == [done.folder]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(tmp_path, number):
    def make(folder):
        raise OSError(number, os.strerror(number))

    with pytest.raises(EnvironmentProblem, match=f"^cannot write in '{tmp_path}/route': .*; make"):
        Cache(tmp_path).step("route", ["a"], make)
    assert list((tmp_path / "route").iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="^cannot write in .* choose another place$"):
        Cache(tmp_path / "file").step("route", ["a"], writer("one", []))


def test_old_results_go(tmp_path):
    cache = Cache(tmp_path, keep=2)
    for number, key in enumerate("abac"):
        result = cache.step("route", [key], writer(key, []))
        os.utime(result.folder, (number, number))
    assert cache.step("route", ["a"], writer("a", [])).cached
    assert not cache.step("route", ["b"], writer("b", [])).cached


def test_digest_keeps_parts_apart():
    assert digest_of("ab", "c") != digest_of("a", "bc") != digest_of("abc")
