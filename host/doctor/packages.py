# SPDX-License-Identifier: MIT
"""Python, this package, and the packages of its extras."""

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from glintfpga.host.doctor.check import Finding, ok, optional, problem, warning
from glintfpga.host.doctor.machine import Machine

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["extras", "python"]

PACKAGE = "glintfpga"
NEEDED_BY = {
    "flash": "glintfpga flash",
    "build": "glintfpga build",
    "tune": "glintfpga tune and flash --tuned",
    "prove": "glintfpga prove",
    "train": "glintfpga merge",
    "torch": "glintfpga train without g++ or for shapes of software only",
    "data": "glintfpga data fetch and eval --fetch",
    "apio": "what glintfpga export --apio writes",
    "test": "make test",
    "fuzz": "make fuzz",
    "dev": "make sim",
}
"""What the extras are for."""
USUAL = ("flash", "build")
"""The extras that a user of a board needs."""
OF_SOURCES = ("test", "fuzz", "dev")
"""The extras that only the sources can use."""


def python(machine: Machine) -> Iterator[Finding]:
    """The interpreter, and whether pip may install into it."""
    version = ".".join(map(str, sys.version_info[:3]))
    text = f"{version} at {sys.executable}, {machine.system} {machine.architecture}"
    # The system's own Python, marked by a file (PEP 668): pip refuses to add packages.
    closed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    if sys.prefix == sys.base_prefix and closed.is_file():
        step = f"make an environment: python3 -m venv .venv && .venv/bin/pip install {PACKAGE}"
        yield warning("python", f"{text}, to which pip adds no packages", step)
    else:
        yield ok("python", text)
    version = metadata.version(PACKAGE)
    yield ok(PACKAGE, f"{version} at {Path(__file__).resolve().parents[2]}")


def extras(machine: Machine) -> Iterator[Finding]:
    """One line for the packages that are always needed, one for each extra."""
    from packaging.requirements import Requirement

    requirements = [Requirement(line) for line in metadata.requires(PACKAGE) or []]
    names = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    for extra in ("", *names):
        if extra not in OF_SOURCES or _sources():
            yield _group(extra, list(_wanted(requirements, extra)))


def _sources() -> bool:
    """Whether this runs from the sources, rather than from a wheel."""
    return (Path(__file__).resolve().parents[2] / "Makefile").is_file()


def _wanted(requirements: Sequence["Requirement"], extra: str) -> Iterator["Requirement"]:
    """Requirements of one extra, or of none; an extra that names another has those too."""
    for one in requirements:
        always = one.marker is None or one.marker.evaluate({"extra": ""})
        if extra and one.marker is not None:
            wanted = not always and one.marker.evaluate({"extra": extra})
        else:
            wanted = always and not extra
        if wanted and one.name == PACKAGE:
            for other in one.extras:
                yield from _wanted(requirements, other)
        elif wanted:
            yield one


def _group(extra: str, wanted: Sequence["Requirement"]) -> Finding:
    there: list[str] = []
    missing: list[str] = []
    wrong: list[str] = []
    for one in wanted:
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            missing.append(one.name)
            continue
        fits = one.specifier.contains(version, prereleases=True)
        (there if fits else wrong).append(f"{one.name} {version}")
        if not fits:
            wrong[-1] += f" (needs {one.specifier})"
    name = extra or "core"
    step = f"pip install '{PACKAGE}[{extra}]'" if extra else f"pip install {PACKAGE}"
    text = f"for {NEEDED_BY[extra]}: " if extra in NEEDED_BY else ""
    if wrong:
        finding = warning if extra and extra not in USUAL else problem
        return finding(name, f"{text}{', '.join(wrong)}", step)
    if missing:
        text += f"{', '.join(missing)} not installed"
        if not extra:
            return problem(name, text, step)
        return warning(name, text, step) if extra in USUAL else optional(name, text, step)
    return ok(name, text + (", ".join(there) or "no package for this machine"))
