# SPDX-License-Identifier: MIT
import os

import pytest

from glintfpga.boards.flash.failures import INSTALL
from glintfpga.host.doctor import path as module
from glintfpga.host.doctor.check import Level
from glintfpga.host.doctor.path import on_path, path_tools
from glintfpga.quant.errors import EnvironmentProblem


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Set PATH to folders of the test, without those of the system."""

    def go(*names):
        monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in names))

    return go


def troubles(machine):
    return [finding for finding in path_tools(machine) if finding.level is not Level.OK]


def test_programs_in_order_and_once(tmp_path, path, program):
    first, second = program("a/yosys"), program("b/yosys")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/yosys").write_text("not executable")
    path("d", "nothing", "b", "c", "a", "b")
    assert on_path("yosys") == [second, tmp_path / "c/yosys"]
    path("a", "b")
    assert on_path("yosys") == [first, second]
    path()
    assert on_path("yosys") == []


def test_no_path(machine, monkeypatch):
    monkeypatch.delenv("PATH")
    (found,) = path_tools(machine())
    assert (found.level, found.text[:26]) == (Level.OK, "none of the tools is on PA")


def test_old_flash_tool(machine, path, program, monkeypatch):
    old = program("a/openFPGALoader", "echo openFPGALoader v0.10.0")
    program("b/openFPGALoader", "echo openFPGALoader v1.1.1")
    path("a", "b")
    monkeypatch.setattr(module, "loader", lambda: "/own/openFPGALoader")
    (found,) = troubles(machine())
    assert found.level is Level.WARNING
    assert found.text.startswith(f"openFPGALoader 0.10.0 at {old} comes first on PATH and is too")
    assert found.next_step.startswith("by hand, call /own/openFPGALoader instead")
    path("b", "a")
    assert troubles(machine()) == []


def test_old_flash_tool_without_another(machine, path, program, monkeypatch):
    def missing():
        raise EnvironmentProblem(f"the flash tool is not installed: {INSTALL}")

    monkeypatch.setattr(module, "loader", missing)
    program("a/openFPGALoader", "echo openFPGALoader v0.10.0")
    path("a")
    (found,) = troubles(machine())
    assert found.next_step == "by hand, name the board tangprimer20k, which is the same to it"


@pytest.mark.parametrize("version", ["v0.11.0", "v0.13.1", "v1.1.1"])
def test_newer_flash_tools_are_well(machine, path, program, version):
    program("a/openFPGALoader", f"echo openFPGALoader {version}")
    path("a")
    (found,) = path_tools(machine())
    assert (found.level, found.text.split()[1]) == (Level.OK, version[1:])


def test_broken_flash_tool_is_not_ours(machine, path, program):
    program("a/openFPGALoader", "exit 3")
    path("a")
    (found,) = path_tools(machine())
    assert found.level is Level.OK
    assert "does not run" in found.text


def test_two_packers(machine, path, program, tmp_path):
    program("one/bin/gowin_pack")
    program("two/bin/gowin_pack")
    (tmp_path / "one/lib/python3.11/site-packages/apycula-0.32.dist-info").mkdir(parents=True)
    (tmp_path / "two/lib/python3.12/site-packages/Apycula-0.17.dist-info").mkdir(parents=True)
    path("one/bin", "two/bin")
    (found,) = troubles(machine())
    assert found.level is Level.WARNING
    assert "one/bin/gowin_pack (apycula 0.32), " in found.text
    assert "two/bin/gowin_pack (apycula 0.17);" in found.text
    assert "off PATH" in found.next_step


@pytest.mark.quick
def test_router_and_packer_of_two_installations(machine, path, program):
    router = program("suite/bin/nextpnr-himbaechel")
    packer = program("venv/bin/gowin_pack")
    path("venv/bin", "suite/bin")
    (found,) = troubles(machine())
    assert found.level is Level.WARNING
    assert f"{router} and gowin_pack at {packer} are not of one installation" in found.text


def test_router_and_packer_of_one_installation(machine, path, program):
    for name in ("yosys", "nextpnr-himbaechel", "gowin_pack"):
        program(f"suite/bin/{name}")
    path("suite/bin")
    found = list(path_tools(machine()))
    assert [finding.level for finding in found] == [Level.OK] * 3
    assert [finding.text.split()[0] for finding in found] == [
        "yosys",
        "nextpnr-himbaechel",
        "gowin_pack",
    ]
