# SPDX-License-Identifier: MIT
"""Tools on PATH: not run by this package, but by people and other programs."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from glintfpga.boards.flash.failures import OLDEST_LOADER
from glintfpga.boards.flash.openfpgaloader import loader, loader_version, release_of, uses_package
from glintfpga.host.doctor.check import Finding, ok, split_error, warning
from glintfpga.host.doctor.machine import Machine
from glintfpga.quant.errors import EnvironmentProblem, GlintError

__all__ = ["on_path", "path_tools"]

NAMES = ("yosys", "nextpnr-himbaechel", "gowin_pack", "openFPGALoader")
CHECK = "PATH"


def path_tools(machine: Machine) -> Iterator[Finding]:
    """Which tools PATH has, a too old flash tool, and packers that shadow each other."""
    found = {name: on_path(name) for name in NAMES}
    for name in ("yosys", "nextpnr-himbaechel"):
        if found[name]:
            yield ok(CHECK, f"{name} at {found[name][0]}; glintfpga does not use it")
    yield from _packers(found["gowin_pack"], found["nextpnr-himbaechel"])
    yield from _loader(found["openFPGALoader"])
    if not any(found.values()):
        yield ok(CHECK, "none of the tools is on PATH; glintfpga needs none there")


def on_path(name: str) -> list[Path]:
    """Programs of that name in the order of PATH, each file once."""
    found: dict[Path, Path] = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder and (path := shutil.which(name, path=folder)):
            found.setdefault(Path(path).resolve(), Path(path))
    return list(found.values())


def _packers(packers: list[Path], routers: list[Path]) -> Iterator[Finding]:
    if not packers:
        return
    shown = [f"{path}{_apycula_version(path)}" for path in packers]
    if len(packers) > 1:
        yield warning(
            CHECK,
            f"{len(packers)} gowin_pack: {', '.join(shown)}; tools other than glintfpga take the "
            "first, which may not fit their nextpnr and then writes bitstreams that do not work",
            f"build with glintfpga build, which takes neither, or take {packers[1].parent} or "
            f"{packers[0].parent} off PATH",
        )
    elif routers and routers[0].resolve().parent != packers[0].resolve().parent:
        yield warning(
            CHECK,
            f"nextpnr-himbaechel at {routers[0]} and gowin_pack at {shown[0]} are not of one "
            "installation, and may write bitstreams that do not work",
            "build with glintfpga build, which takes neither",
        )
    else:
        yield ok(CHECK, f"gowin_pack at {shown[0]}; glintfpga does not use it")


def _apycula_version(packer: Path) -> str:
    """Version of the package a script was installed with, as " (apycula 0.32)"."""
    home = packer.resolve().parents[1]
    for pattern in ("lib/python*/site-packages", "Lib/site-packages"):
        for folder in home.glob(f"{pattern}/[Aa]pycula-*.dist-info"):
            return f" (apycula {folder.name.split('-')[1].removesuffix('.dist')})"
    return ""


def _loader(programs: list[Path]) -> Iterator[Finding]:
    if not programs or not uses_package():  # there it is the flash tool, which has its own line
        return
    try:
        version = loader_version(programs[0])
    except GlintError as error:
        text = f"openFPGALoader at {programs[0]} does not run ({split_error(error)[0]})"
        yield ok(CHECK, f"{text}; glintfpga does not use it")
        return
    text = f"openFPGALoader {version} at {programs[0]}"
    if release_of(version) >= OLDEST_LOADER:
        yield ok(CHECK, f"{text}; glintfpga does not use it")
        return
    try:
        step = f"by hand, call {loader()} instead; glintfpga flash does"
    except EnvironmentProblem:
        # The older release lists the bigger board with the same chip and the same cable.
        step = "by hand, name the board tangprimer20k, which is the same to it"
    yield warning(CHECK, f"{text} comes first on PATH and is too old to know the board", step)
