# SPDX-License-Identifier: MIT
"""The command line on a system that is no POSIX, played by as_windows.py."""

import subprocess
import sys
from pathlib import Path

import pytest

STAGE = Path(__file__).parent / "as_windows.py"
ASKED = ("--bytes", "30", "--seed", "7", "--prompt", "one\ntwo\n")


@pytest.fixture
def windows(tmp_path):
    """Runs a command line in a scene; returns exit code, stdout and stderr."""

    def go(*arguments, scene="plain", stdin=b"", folder=tmp_path):
        done = subprocess.run(
            [sys.executable, "-X", "warn_default_encoding", str(STAGE), scene, *arguments],
            input=stdin,
            capture_output=True,
            cwd=folder,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode("cp1252").replace("\r\n", "\n")

    return go


@pytest.fixture
def model(tmp_path, image):
    """A file as Windows names it; here its backslashes are letters."""
    path = tmp_path / r"C:\models\tiny model.glint"
    path.write_bytes(image.data)
    return path.name


def test_every_module_can_be_imported(windows):
    code, out, err = windows("--version", scene="import all")
    assert (code, err) == (0, "")
    assert out.startswith(b"glintfpga ")


@pytest.mark.parametrize("port", ["COM4", "COM5", r"\\.\COM12"])
def test_generate_on_a_com_port(windows, command, model, glint, port):
    code, out, err = windows("generate", port, "--load", model, *ASKED)
    assert code == 0, err
    assert ("JTAG half of the board; using its UART, COM5" in err) == (port == "COM4")
    assert len(out) == 30
    assert out == command("generate", "ref:", "--load", glint, *ASKED)[1]


def test_piped_chat(windows, command, glint, model):
    arguments = ("--bytes", "20", "--seed", "1")
    code, out, err = windows("chat", "--load", model, *arguments, stdin=b"the \r\nend\r\n")
    assert code == 0, err
    assert "found a board at COM5" in err
    expected = command("chat", "ref:", "--load", glint, *arguments, stdin=b"the \nend\n")
    assert out == expected[1]


def test_chat_at_a_console_of_few_characters(windows, model):
    arguments = ("chat", "COM5", "--load", model, "--bytes", "200", "--temperature", "3.9")
    code, out, err = windows(*arguments, scene="console", stdin=b"x\n" * 9)
    assert code == 0, err
    assert b"\\x" in out
    out.decode("cp1252")


def test_the_other_commands(windows, model, tmp_path):
    code, _, err = windows("load", "COM5", model)
    assert code == 0 and "the device holds" in err
    code, out, err = windows("verify", "COM5", "--load", model, "--tokens", "20")
    assert code == 0 and b" 0 mismatches" in out, err
    code, _, err = windows("quantize", "blink-base", "-o", r"C:\out.glint", "--report", "r.json")
    assert code == 0 and r"C:\out.glint: " in err, err
    (tmp_path / "text.txt").write_bytes(b"To be, or not to be.")
    code, out, err = windows("eval", "blink-base", "--data", "text.txt")
    assert code == 0 and "±".encode() in out and b"\r" not in out, err


@pytest.mark.quick
@pytest.mark.parametrize(
    "arguments, code, line",
    [
        (
            ("sim", "--pty"),
            3,
            "sim --pty needs a POSIX system with pseudo-terminals, not 'linux'; use the port sim:",
        ),
        (
            ("chat", "COM9"),
            1,
            "there is no port 'COM9'; plug the board in, or use sim: to do without one",
        ),
        (("chat", "COM3"), 1, "port 'COM3' is busy; close the other program that uses it"),
        (
            ("generate", "ref:", "--load", r"D:\no such.glint"),
            2,
            (
                r"there is no model 'D:\\no such.glint'; give a file, a folder or a shipped name "
                "(blink-base, blink-instruct, blink-two-loop)"
            ),
        ),
    ],
)
def test_errors_are_one_line(windows, arguments, code, line):
    assert windows(*arguments) == (code, b"", f"error: {line}\n")


def test_board_unplugged(windows, model):
    code, _, err = windows("generate", "COM5", "--bytes", "99999", scene="unplugged")
    assert code == 1
    assert err.startswith("error: port 'COM5' was lost: it hung up")
    assert err.endswith("; plug the board in again\n") and err.count("\n") == 1


def test_ctrl_c_without_signals(windows):
    code, out, err = windows("generate", "COM5", "--bytes", "99999", scene="interrupted")
    assert (code, err) == (130, "")


def test_output_that_another_program_holds_open(windows, tmp_path):
    (tmp_path / "old.glint").write_bytes(b"GLNT, old")
    code, _, err = windows("quantize", "blink-base", "-o", "old.glint", scene="replace")
    assert code == 3
    assert err.startswith("error: cannot write 'old.glint': The process cannot access the file")
    assert [path.name for path in tmp_path.iterdir()] == ["old.glint"]
    assert (tmp_path / "old.glint").read_bytes() == b"GLNT, old"
