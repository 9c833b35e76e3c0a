# SPDX-License-Identifier: MIT
import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest

from glintfpga.host import cli
from glintfpga.host.console import streams
from glintfpga.host.console.streams import explained
from glintfpga.quant.errors import EnvironmentProblem

MAIN = "from glintfpga.host.cli import main; main()"
FULL = "error: cannot write {}: No space left on device; make room there, or choose another place\n"
CLOSED = "error: stdout is closed; send it to a file, or to the null device\n"

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(redirection, *arguments, stdin=b"", unbuffered=False):
    """Exit code, stdout and stderr of a command line whose streams a shell has redirected."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    if unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-c", MAIN, *arguments],
        input=stdin,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 4)
    return str(path)


COMMANDS = [
    ("--version",),
    ("doctor",),
    ("doctor", "--json"),
    ("generate", "ref:", "--bytes", "9"),
    ("chat", "ref:", "--bytes", "9"),
    ("quantize", "blink-base", "--listing"),
    ("eval", "blink-base", "--data", "TEXT", "--numerics", "float"),
    ("eval", "blink-base", "--data", "TEXT", "--numerics", "float", "--json"),
    ("verify", "ref:", "--tokens", "9"),
    ("export", "DIR/verilog"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "redirection, unbuffered", [(">/dev/full", 0), (">/dev/full", 1), (">&-", 0)]
)
def test_output_that_cannot_be_written(text, tmp_path, arguments, redirection, unbuffered):
    words = [word.replace("TEXT", text).replace("DIR", str(tmp_path)) for word in arguments]
    code, _, err = shell(redirection, "-q", *words, stdin=b"the \n", unbuffered=unbuffered)
    assert code == 3
    if redirection == ">&-":
        assert err == CLOSED
    else:
        assert err in (FULL.format("to stdout"), FULL.format("the output"))


@pytest.mark.parametrize("name", [*cli.COMMANDS, ""])
@pytest.mark.parametrize("redirection, line", [(">/dev/full", FULL), (">&-", CLOSED)])
def test_help_that_cannot_be_written(name, redirection, line):
    words = [name, "--help"] if name else []
    assert shell(redirection, *words) == (3, b"", line.format("to stdout"))


def test_a_closed_stdout_is_no_matter_where_nothing_is_written(tmp_path):
    image = tmp_path / "q.glint"
    for redirection in (">&-", "<&- >&- 2>&-"):
        assert shell(redirection, "-q", "quantize", "blink-base", "-o", str(image))[0] == 0
        assert image.read_bytes()[:4] == b"GLNT"
        image.unlink()


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">/dev/full 2>/dev/full"])
def test_words_that_cannot_be_written_change_nothing(redirection):
    assert shell(redirection, "load", "/dev/does-not-exist", "blink-base") == (1, b"", "")


@pytest.mark.parametrize("words", ["doctor", "generate ref: --bytes 3000"])
def test_nobody_reads(words):
    done = subprocess.run(
        ["sh", "-c", f'("$@" {words}; echo $? >&2) | head -c 1', "sh", sys.executable, "-uc", MAIN],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (len(done.stdout), done.stderr) == (1, b"141\n")


def test_an_error_is_told_though_nobody_reads():
    code, _, err = shell("| true", "load", "/dev/does-not-exist", "blink-base")
    assert err.startswith("error: there is no port")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_is_not_our_fault(monkeypatch, command, number):
    @click.command("load")
    def load():
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("glintfpga.host.commands.load.command", load)
    code, out, err = command("load")
    assert (code, out) == (3, b"")
    assert err.startswith(f"error: cannot write the output: {os.strerror(number)}; ")
    assert err.count("\n") == 1


def test_no_temporary_folder(monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
        tempfile.mkdtemp()
    found = explained(caught.value)
    assert type(found) is EnvironmentProblem
    assert str(found) == "no folder for temporary files is writable; set TMPDIR to one"


@pytest.mark.quick
@pytest.mark.parametrize(
    "system, error, kind",
    [
        ("nt", OSError(errno.EINVAL, "Invalid argument"), BrokenPipeError),
        ("nt", OSError(errno.EINVAL, "Invalid argument", "a?b"), OSError),
        ("nt", BrokenPipeError(errno.EPIPE, "Broken pipe"), BrokenPipeError),
        ("posix", OSError(errno.EINVAL, "Invalid argument"), OSError),
        ("posix", BrokenPipeError(errno.EPIPE, "Broken pipe"), BrokenPipeError),
        ("posix", OSError(errno.EBADF, "Bad file descriptor"), OSError),
        ("posix", PermissionError(errno.EACCES, "Permission denied", "x"), EnvironmentProblem),
        ("posix", OSError(errno.ENOSPC, "No space left on device", "x"), EnvironmentProblem),
    ],
)
def test_what_an_error_means(monkeypatch, system, error, kind):
    with monkeypatch.context() as patch:
        patch.setattr(streams.os, "name", system)
        found = explained(error)
    assert type(found) is kind
