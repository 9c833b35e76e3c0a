# SPDX-License-Identifier: MIT
import contextlib
import errno
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import click
import pytest

from glintfpga.host import cli
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, InputError


def failing(monkeypatch, error, name="load"):
    @click.command(name)
    def command():
        raise error

    monkeypatch.setattr(f"glintfpga.host.commands.{name}.command", command)


@pytest.mark.parametrize(
    "error, code",
    [
        (DeviceError("a"), 1),
        (InputError("b"), 2),
        (EnvironmentProblem("c"), 3),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 3),
        (ValueError("surprise"), 2),
    ],
)
def test_exit_codes(monkeypatch, command, error, code):
    failing(monkeypatch, error)
    got, out, err = command("load")
    assert (got, out) == (code, b"")
    assert err.count("\n") == (code != 130)
    assert "Traceback" not in err


def test_unexpected_errors_leave_a_log(monkeypatch, command):
    failing(monkeypatch, ValueError("sur\nprise"))
    _, _, err = command("load")
    assert err.startswith("error: unexpected ValueError: sur prise; please report it with the log")
    log = err.split("[log: ")[1].rstrip("]\n")
    assert "Traceback" in Path(log).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "problem", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT], ids=os.strerror
)
@pytest.mark.parametrize("where", ["no folder", "no room"])
def test_a_log_that_cannot_be_written_is_no_error(monkeypatch, command, tmp_path, problem, where):
    def fail(*arguments, **options):
        raise OSError(problem, os.strerror(problem))

    failing(monkeypatch, ValueError("surprise"))
    monkeypatch.setattr(
        *((tempfile, "mkstemp") if where == "no folder" else (traceback, "print_exception")), fail
    )
    code, out, err = command("load")
    assert (code, out) == (2, b"")
    assert err == (
        "error: unexpected ValueError: surprise; please report it with the log "
        f"[no log: {os.strerror(problem)}]\n"
    )
    assert not list(tmp_path.glob("*.log"))


def test_tracebacks_of_expected_errors_on_demand(monkeypatch, command):
    failing(monkeypatch, InputError("no"))
    assert "[log: " not in command("-v", "load")[2]
    assert "[log: " in command("-vv", "load")[2]


def test_missing_extra(monkeypatch, command):
    failing(monkeypatch, ModuleNotFoundError("x", name="amaranth.hdl"))
    assert command("load")[2] == (
        "error: the Python package 'amaranth' is not installed; "
        "run: pip install 'glintfpga[build]'\n"
    )


@pytest.mark.quick
@pytest.mark.parametrize(
    "name, module, target",
    [
        ("load", "torch.nn", "'glintfpga[torch]'"),
        ("load", "scipy.optimize", "'glintfpga[train]'"),
        ("load", "apycula", "'glintfpga[build]'"),
        ("prove", "apycula", "'glintfpga[prove]'"),
        ("prove", "pysat.solvers", "'glintfpga[prove]'"),
        ("prove", "amaranth", "'glintfpga[build]'"),
        ("load", "serial", "pyserial"),
        ("load", "cobs", "cobs"),
    ],
)
def test_what_brings_a_missing_package(monkeypatch, command, name, module, target):
    failing(monkeypatch, ModuleNotFoundError("x", name=module), name)
    code, _, err = command("-q", name)
    assert (code, err.split("run: ")[1]) == (3, f"pip install {target}\n")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["nonsense"], "No such command 'nonsense'. (see glintfpga --help)"),
        (["chatt"], "No such command 'chatt'. Did you mean 'chat'? (see glintfpga --help)"),
        (["bnech", "ref:"], "Did you mean 'bench'?"),
        (["chat", "--nonsense"], "--nonsense"),
        (["generate"], "Missing argument 'PORT'. (see glintfpga generate --help)"),
        (["chat", "ref:", "--temperature", "9"], "9.0 is not in the range"),
        (["chat", "ref:", "--bytes", "0"], "0 is not in the range"),
        (["chat", "ref:", "--lanes", "3"], "'3' is not one of '2', '4', '8'"),
        (["chat", "ref"], "port 'ref' lacks its colon; write ref:"),
        (["quantize", "blink-base"], "Nothing to do"),
        (["sim", "--pty", "--trace", "x"], "exclude each other"),
    ],
)
def test_usage_errors_are_one_line(command, arguments, text):
    code, out, err = command(*arguments)
    assert (code, out) == (2, b"")
    assert text in err
    assert err.count("\n") == 1


def test_version_and_help(command):
    assert command("--version")[1].startswith(b"glintfpga 0.")
    for arguments in ([], ["--help"], ["-h"]):
        code, out, err = command(*arguments)
        assert (code, err) == (0, "")
        assert b"chat" in out


def leaves(group, context):
    """The words that lead to each command, those of groups included."""
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from ((name, *rest) for rest in leaves(found, context))
        else:
            yield (name,)


@pytest.mark.parametrize("words", [*leaves(cli.cli, click.Context(cli.cli))], ids=" ".join)
def test_every_command_has_help_and_a_verbosity(command, words):
    code, out, _ = command(*words, "--help")
    assert code == 0
    assert b"--verbose" in out
    if len(words) == 1:
        assert f"glintfpga {words[0]}".encode() in out.split(b"Options:")[0]


def test_missing_port(command):
    code, _, err = command("chat", "/dev/does-not-exist")
    assert code == 1
    assert err == (
        "error: there is no port '/dev/does-not-exist'; plug the board in, or use sim: "
        "to do without one\n"
    )


def python(code, *, stdin=b""):
    return subprocess.run(
        [sys.executable, "-c", code], input=stdin, capture_output=True, timeout=60, check=False
    )


def test_nothing_heavy_is_imported_needlessly(glint):
    done = python(
        "import sys; from glintfpga.host.cli import run\n"
        f"code = run(['chat', 'ref:', '--load', {str(glint)!r}, '--bytes', '5'])\n"
        "heavy = {'torch', 'amaranth', 'wasmtime', 'scipy', 'apycula'} & set(sys.modules)\n"
        "print(code, sorted(heavy), file=sys.stderr)",
        stdin=b"the ",
    )
    assert done.stderr.endswith(b"0 []\n"), done.stderr


def test_help_is_quick_to_import():
    done = python(
        "import sys; from glintfpga.host.cli import run; run(['--help'])\n"
        "print({'numpy', 'serial', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    assert done.stderr == b"set()\n"


def test_closed_pipe_is_quiet(glint):
    command = (
        f"{sys.executable} -c 'from glintfpga.host.cli import main; main()' generate ref: "
        f"--load {glint} --bytes 3000 --temperature 1; echo $? >&2"
    )
    done = subprocess.run(
        ["sh", "-c", f"( {command} ) | head -c 3"], capture_output=True, timeout=60, check=False
    )
    assert len(done.stdout) == 3
    assert done.stderr == b"141\n"


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(
    "variables, command",
    [
        ({}, "doctor"),
        *(
            (variables, command)
            for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"})
            for command in ("doctor", "verify ref: --tokens 400", "--help")
        ),
    ],
)
def test_no_escape_codes_where_none_are_wanted(variables, command):
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm", **variables}
    ours, its = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "glintfpga", *command.split()],
        stdin=its, stdout=its, stderr=its, env=environment,
    ) as process:  # fmt: skip
        os.close(its)
        shown = b""
        with contextlib.suppress(OSError):  # as Linux calls the end
            while data := os.read(ours, 4096):
                shown += data
        process.wait(timeout=60)
    os.close(ours)
    assert shown
    assert (b"\x1b" in shown) == (not variables)
