# SPDX-License-Identifier: MIT
"""Shells complete commands, options, ports, models and boards."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.shell_completion import ShellComplete

from glintfpga.host.cli import COMPLETE, cli


def ask(instruction, **variables):
    done = subprocess.run(
        [sys.executable, "-m", "glintfpga"],
        env={**os.environ, COMPLETE: instruction, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def words(*before, incomplete=""):
    found = ShellComplete(cli, {}, "glintfpga", COMPLETE).get_completions([*before], incomplete)
    return [item.value for item in found if item.type == "plain"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell):
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    script = ask(f"{shell}_source")
    assert f"{COMPLETE}={shell}_complete" in script


def test_an_answer_for_each_shell():
    both = {"COMP_WORDS": "glintfpga chat si", "COMP_CWORD": "2"}
    assert ask("bash_complete", **both) == "plain,sim:\n"
    assert ask("zsh_complete", **both) == "plain\nsim:\n_\n"
    assert ask("fish_complete", **{**both, "COMP_CWORD": "si"}) == "plain,sim:\n"


def test_bash_itself_completes(tmp_path):
    """What `eval` of the script leaves is a function that fills COMPREPLY."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    command = tmp_path / "glintfpga"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m glintfpga "$@"\n')
    command.chmod(0o755)
    code = (
        f'PATH={tmp_path}:$PATH; eval "$({COMPLETE}=bash_source glintfpga)"\n'
        "COMP_WORDS=(glintfpga load ref: blink-); COMP_CWORD=3\n"
        '_glintfpga_completion glintfpga; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "blink-base blink-instruct blink-two-loop\n", done.stderr


@pytest.mark.quick
def test_ports(monkeypatch):
    board = SimpleNamespace(device="/dev/ttyUSB1")
    monkeypatch.setattr("glintfpga.host.ports.usb.uart_ports", lambda: [board])
    assert words("chat") == ["/dev/ttyUSB1", "sim:", "ref:", "float:"]
    assert words("verify", incomplete="/dev/") == ["/dev/ttyUSB1"]
    assert words("tune", incomplete="/dev/") == ["/dev/ttyUSB1"]
    assert words("flash", incomplete="--t") == ["--tuned"]


def test_models_and_boards():
    assert words("quantize") == ["blink-base", "blink-instruct", "blink-two-loop"]
    assert words("chat", "--load", incomplete="blink-i") == ["blink-instruct"]
    assert words("build", "--board") == words("flash", "--board") == ["tangnano20k"]
    # Any other beginning is that of a file, which the shell knows.
    assert words("quantize", incomplete="my") == []
    assert "--temperature" in words("generate", "ref:", incomplete="--t")
