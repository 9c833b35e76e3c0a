# SPDX-License-Identifier: MIT
import os
import sys
from pathlib import Path

import pytest
import wasmtime

from glintfpga.quant.files.cache_folder import cache_dir
from glintfpga.sim import module_cache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is kept on Windows")

CODE = bytes(wasmtime.wat2wasm('(module (func (export "answer") (result i32) i32.const 42))'))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a module is kept; it is there already."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run() == (42, False)
    return cache_dir() / "modules"


@pytest.fixture
def file(folder):
    (file,) = folder.iterdir()
    return file


def run(code=CODE):
    """What the module answers, and whether its machine code was loaded, not compiled."""
    loaded = []

    class Module(wasmtime.Module):
        @classmethod
        def deserialize(cls, engine, encoded):
            module = super().deserialize(engine, encoded)
            loaded.append(module)
            return module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wasmtime, "Module", Module)
        engine = wasmtime.Engine()
        module = module_cache.compiled(engine, code)
    store = wasmtime.Store(engine)
    answer = wasmtime.Instance(store, module, []).exports(store)["answer"](store)
    return answer, bool(loaded)


def test_compiled_once(folder, file):
    assert run() == (42, True)
    assert run() == (42, True)
    assert list(folder.iterdir()) == [file]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_other_code_is_another_file(folder):
    assert run(
        bytes(wasmtime.wat2wasm('(module (func (export "answer") (result i32) i32.const 7))'))
    ) == (7, False)
    assert run() == (42, True)
    assert len(list(folder.iterdir())) == 2


def linked(path):
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(module_cache.hashlib.sha256(b"ELF").digest() + b"ELF"),
        lambda path: os.truncate(path, module_cache.MOST_BYTES + 1),
        lambda path: path.unlink(),
        linked,
    ],
    ids=["flipped", "empty", "cut off", "no code", "too long", "gone", "link"],
)
def test_damaged_file_is_replaced(file, damage):
    damage(file)
    assert run() == (42, False)
    assert run() == (42, True)


def piped(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "expose",
    [
        lambda file: file.chmod(0o664),
        lambda file: file.chmod(0o646),
        piped,
        lambda file: file.parent.chmod(0o770),
        lambda file: file.parent.chmod(0o1777),
        lambda file: linked(file.parent),
        lambda file: file.parents[1].chmod(0o775),
        lambda file: file.parents[2].chmod(0o777),
        lambda file: linked(file.parents[2]),
    ],
    ids=[
        *("group", "world", "pipe", "folder of a group", "sticky folder", "linked folder"),
        *("folder above", "cache of all", "linked cache"),
    ],
)
def test_what_others_may_have_written_is_not_executed(file, expose):
    expose(file)
    for _ in range(2):
        assert run() == (42, False)


@pytest.mark.parametrize("whose", ["file", "folder"])
def test_what_belongs_to_others_is_not_executed(file, monkeypatch, whose):
    before = os.fstat if whose == "file" else Path.lstat
    there = os.lstat(file if whose == "file" else file.parent)

    def owned_by_others(what):
        info = before(what)
        if info.st_ino == there.st_ino:
            info = os.stat_result((*info[:4], os.geteuid() + 1, *info[5:]))
        return info

    monkeypatch.setattr(*((os, "fstat") if whose == "file" else (Path, "lstat")), owned_by_others)
    assert run() == (42, False)


@pytest.mark.quick
def test_nothing_is_written_or_deleted_where_a_link_leads(folder, tmp_path):
    target = tmp_path / "documents"
    target.mkdir()
    for number in range(module_cache.KEPT + 1):
        (target / f"{number}.cwasm").touch()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.symlink_to(target)
    assert run() == (42, False)
    assert len(list(target.iterdir())) == module_cache.KEPT + 1


def test_the_oldest_go(folder, file):
    for number in range(module_cache.KEPT):
        other = folder / f"{number}.cwasm"
        other.touch()
        os.utime(other, (number, number))
    file.unlink()
    assert run() == (42, False)
    assert {path.name for path in folder.iterdir()} == {"1.cwasm", "2.cwasm", "3.cwasm", file.name}


@pytest.mark.parametrize("cache", ["/proc/nosuch", "/dev/null", "/sys"])
def test_place_that_cannot_be_written(monkeypatch, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    assert run() == (42, False)


def test_no_home(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert run() == (42, False)


def test_system_that_does_not_tell_owners(folder, monkeypatch):
    monkeypatch.delattr(os, "geteuid")
    assert run() == (42, False)


def test_no_module(folder):
    with pytest.raises(wasmtime.WasmtimeError):
        module_cache.compiled(wasmtime.Engine(), b"no wasm")
    assert len(list(folder.iterdir())) == 1
