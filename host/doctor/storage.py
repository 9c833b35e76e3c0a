# SPDX-License-Identifier: MIT
"""Caches that save minutes, and free space on the disk."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from glintfpga.boards.toolchain import NEXTPNR, YOSYS
from glintfpga.host.doctor.check import Finding, ok, problem, warning
from glintfpga.host.doctor.machine import Machine
from glintfpga.host.doctor.tools import package_folder
from glintfpga.quant.files.cache_folder import cache_dir

__all__ = ["build_caches", "compiled_tools", "disk"]

MB = 1_000_000
TOOLS_MB = 230
"""Size of the compiled tools: 220 for yosys and 9 for the router, measured."""
ROOM_MB = 1000
"""The build extra takes 420, the compiled tools 230, the cache of one build 118: measured."""


def compiled_tools(machine: Machine) -> Iterator[Finding]:
    """Whether the WebAssembly tools were compiled to machine code before, as their runtime does it
    once for each version of tool and runtime."""
    cold = []
    for tool in (YOSYS, NEXTPNR):
        folder = package_folder(tool)
        if folder is None:
            return
        if not all(_is_compiled(folder, code) for code in folder.glob("*.wasm")):
            cold.append(f"{tool.name} ({tool.first_run})")
    home = _yowasp_cache()
    if home is None:
        return
    if not os.access(_existing(home), os.W_OK):
        yield problem("tool cache", f"{home} cannot be written", "set YOWASP_CACHE_DIR to a folder")
    elif cold:
        text = f"the next glintfpga build is slow to start, once: {', '.join(cold)}"
        yield warning("tool cache", text, "let it finish; it fills the cache at " + str(home))
    else:
        yield ok("tool cache", f"the tools are compiled, at {home}")


def _yowasp_cache() -> Path | None:
    """Where the runtime of the tools caches what it compiled; None where it is not installed."""
    if find_spec("platformdirs") is None:
        return None
    import platformdirs

    default = platformdirs.user_cache_dir("YoWASP", appauthor=False)
    return Path(os.environ.get("YOWASP_CACHE_DIR", default))


def _is_compiled(package: Path, code: Path) -> bool:
    """Whether the cache has the code of this file, compiled by the installed runtime."""
    import wasmtime

    with code.open("rb") as file:
        digest = hashlib.file_digest(file, "sha1").hexdigest()
    home = _yowasp_cache()
    compiled = home and home / package.name / code.name / digest
    if compiled is None or not compiled.is_file():
        return False
    config = wasmtime.Config()
    config.wasm_exceptions = True
    try:
        wasmtime.Module.deserialize_file(wasmtime.Engine(config), str(compiled))
    except wasmtime.WasmtimeError:
        return False
    return True


def build_caches(machine: Machine) -> Iterator[Finding]:
    """The caches of builds in this folder and of compiled simulations."""
    caches = [*sorted(Path("build").glob("*/cache")), cache_dir()]
    shown = [f"{folder} ({_size(folder) / MB:.0f} MB)" for folder in caches if folder.is_dir()]
    yield ok("build cache", ", ".join(shown) or "none here: the first build takes minutes")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def disk(machine: Machine) -> Iterator[Finding]:
    """Free space where builds and caches are."""
    room: dict[int, tuple[float, Path]] = {}
    for folder in (Path.cwd(), _existing(_yowasp_cache() or cache_dir())):
        room.setdefault(folder.stat().st_dev, (shutil.disk_usage(folder).free / MB, folder))
    for free, folder in room.values():
        text = f"{free:,.0f} MB free at {folder}"
        if free < TOOLS_MB:
            yield problem("disk", f"{text}; the tools alone take {TOOLS_MB}", "make room there")
        elif free < ROOM_MB:
            yield warning("disk", text, "make room there")
        else:
            yield ok("disk", text)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest existing one above it."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
