# SPDX-License-Identifier: MIT
import hashlib
import os
import shutil
import types

import pytest
import wasmtime

from glintfpga.boards.toolchain import Tool
from glintfpga.host.doctor import storage
from glintfpga.host.doctor.check import Level
from glintfpga.host.doctor.storage import build_caches, compiled_tools, disk

EMPTY_MODULE = b"\0asm\1\0\0\0"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A tool of one empty WebAssembly file, and where its compiled form is looked for."""
    pytest.importorskip("platformdirs")
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "tool_of_wasm").mkdir()
    (tmp_path / "tool_of_wasm/tool.wasm").write_bytes(EMPTY_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    tool = Tool(
        name="tool", distribution="x", module="tool_of_wasm", call="0", first_run="a minute"
    )
    monkeypatch.setattr(storage, "YOSYS", tool)
    monkeypatch.setattr(storage, "NEXTPNR", tool)
    path = tmp_path / "cache/tool_of_wasm/tool.wasm" / hashlib.sha1(EMPTY_MODULE).hexdigest()
    path.parent.mkdir(parents=True)
    return path


def compiled():
    config = wasmtime.Config()
    config.wasm_exceptions = True
    return bytes(wasmtime.Module(wasmtime.Engine(config), EMPTY_MODULE).serialize())


def only(findings):
    (finding,) = findings
    return finding


def test_first_build_will_compile_the_tools(machine, cache):
    found = only(compiled_tools(machine()))
    assert found.level is Level.WARNING
    assert "slow to start, once: tool (a minute)" in found.text
    assert str(cache.parents[2]) in found.next_step


def test_tools_are_compiled(machine, cache):
    cache.write_bytes(compiled())
    assert only(compiled_tools(machine())).level is Level.OK


@pytest.mark.quick
def test_compiled_tools_of_no_use(machine, cache):
    whole = compiled()
    half = whole[: len(whole) // 2]
    for data in (b"", b"\x7fELF", half, whole.replace(b"wasmtime", b"wasmtimf")):
        cache.write_bytes(data)
        assert only(compiled_tools(machine())).level is Level.WARNING


def test_tool_cache_that_cannot_be_written(machine, cache, monkeypatch):
    cache.write_bytes(compiled())
    monkeypatch.setattr(storage.os, "access", lambda path, mode: mode != os.W_OK)
    found = only(compiled_tools(machine()))
    assert found.level is Level.PROBLEM
    assert "YOWASP_CACHE_DIR" in found.next_step


def test_without_the_tools(machine, monkeypatch):
    monkeypatch.setattr(storage, "package_folder", lambda tool: None)
    assert list(compiled_tools(machine())) == []


def test_build_caches(machine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert "none here" in only(build_caches(machine())).text
    for name in ("build/tangnano20k/cache/route", "home/glintfpga"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x").write_bytes(bytes(3_000_000))
    assert only(build_caches(machine())).text == (
        f"build/tangnano20k/cache (3 MB), {tmp_path}/home/glintfpga (3 MB)"
    )


@pytest.mark.parametrize(
    "free_mb, level", [(100, Level.PROBLEM), (500, Level.WARNING), (5000, Level.OK)]
)
def test_disk(machine, tmp_path, monkeypatch, free_mb, level):
    monkeypatch.chdir(tmp_path)
    usage = types.SimpleNamespace(free=free_mb * 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    first = next(disk(machine()))
    assert first.level is level
    assert first.text.startswith(f"{free_mb:,} MB free at {tmp_path}")


def test_disk_without_the_tools(machine, monkeypatch):
    monkeypatch.setattr(storage, "find_spec", lambda name: None)
    assert next(disk(machine())).check == "disk"
