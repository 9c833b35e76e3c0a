# SPDX-License-Identifier: MIT
"""The tools that this package itself runs: those installed beside this Python."""

import ctypes
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from glintfpga.boards import toolchain
from glintfpga.boards.flash.failures import LIBRARIES, OLDEST_LOADER, install_step, library_step
from glintfpga.boards.flash.openfpgaloader import loader, loader_version, release_of
from glintfpga.host.doctor.check import Finding, ok, problem, split_error, warning
from glintfpga.host.doctor.machine import Machine
from glintfpga.quant.errors import EnvironmentProblem, GlintError

__all__ = ["build_tools", "flash_tool", "package_folder"]


def build_tools(machine: Machine) -> Iterator[Finding]:
    """Synthesis, router and packer, by their packages; running them could take minutes."""
    missing = []
    for tool in toolchain.TOOLS:
        try:
            yield ok(tool.name, f"{tool.identity()} at {package_folder(tool)}")
        except EnvironmentProblem:
            missing.append(tool.name)
    if missing:
        yield warning("build tools", f"{', '.join(missing)} not installed", toolchain.INSTALL)
        return
    try:
        toolchain.check_tools()
    except EnvironmentProblem as error:
        yield problem("pair", *split_error(error))
    else:
        yield ok("pair", "the router and the packer fit each other")


def package_folder(tool: toolchain.Tool) -> Path | None:
    """Where a tool's package is; found without importing it."""
    spec = find_spec(tool.module.partition(".")[0])
    folders = (spec and spec.submodule_search_locations) or []
    return Path(folders[0]) if folders else None


def flash_tool(machine: Machine) -> Iterator[Finding]:
    """The program that flashes, by running it, and the libraries it needs."""
    try:
        program = loader()
    except EnvironmentProblem as error:
        step = install_step(machine.system, machine.architecture)
        yield warning("openFPGALoader", split_error(error)[0], step)
        missing = _missing(machine, None)
        if missing:
            yield warning("libraries", _are_missing(missing), _step(missing, machine))
        return
    missing = _missing(machine, program)
    try:
        # Windows would open a window about each missing library and wait for a click.
        if missing and machine.system == "win32":
            raise EnvironmentProblem("it was not tried: install the libraries")
        version = loader_version(program)
    except GlintError as error:
        text, step = split_error(error)
        if missing:
            text, step = _are_missing(missing), _step(missing, machine)
        yield problem("openFPGALoader", f"{program} does not run: {text}", step)
        return
    if release_of(version) < OLDEST_LOADER:
        step = install_step(machine.system, machine.architecture)
        yield problem("openFPGALoader", f"{version} at {program} does not know the board", step)
    else:
        yield ok("openFPGALoader", f"{version} at {program}, and its libraries load")


def _are_missing(names: list[str]) -> str:
    shown = ", ".join(Path(name).name for name in names)
    return f"{shown} {'is' if len(names) == 1 else 'are'} missing"


def _step(missing: list[str], machine: Machine) -> str:
    packages = LIBRARIES[machine.system]
    return library_step([packages[name] for name in missing], machine.system)


def _missing(machine: Machine, program: Path | None) -> list[str]:
    """Names of the libraries that cannot be loaded."""
    names = LIBRARIES.get(machine.system, {})
    if machine.system == "linux":
        return [name for name in names if not _loads(name)]
    if machine.system == "darwin":
        return [name for name in names if not Path(machine.root, *Path(name).parts[1:]).exists()]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if program is not None:
        folders.append(program.parent)
    return [name for name in names if not any((folder / name).is_file() for folder in folders)]


def _loads(name: str) -> bool:
    """Whether the system's loader finds a library, by the very name a program asks for."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
