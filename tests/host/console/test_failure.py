# SPDX-License-Identifier: MIT
import errno
import re
from pathlib import Path

import click
import pytest

from glintfpga.host.console.failure import report
from glintfpga.quant.errors import DeviceError, EnvironmentProblem, InputError


def missing(name):
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("error", "command", "code", "line"),
    [
        (InputError("no\nsuch\x1b[2J file"), None, InputError.exit_code, None),
        (DeviceError("gone"), None, DeviceError.exit_code, "error: gone"),
        (click.UsageError("odd"), None, 2, "error: odd (see glintfpga --help)"),
        (click.ClickException("plain"), None, 2, "error: plain"),
        (missing("amaranth.hdl"), "prove", 3, "pip install 'glintfpga[build]'"),
        (missing("apycula"), "prove", 3, "pip install 'glintfpga[prove]'"),
        (missing("serial"), None, 3, "pip install pyserial"),
        (missing("glintfpga.sim.gone"), None, 3, "broken installation"),
    ],
)
def test_one_line_and_a_code(error, command, code, line, capfd):
    if isinstance(error, ModuleNotFoundError):
        code = EnvironmentProblem.exit_code
    assert report(error, command) == code
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "\x1b" not in err
    assert line is None or line in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (BrokenPipeError(), 141),
        (OSError(errno.EPIPE, "closed"), 141),
    ],
)
def test_who_ends_us_is_told_nothing(error, code, capfd):
    assert report(error) == code
    assert capfd.readouterr() == ("", "")


def test_what_nobody_foresaw_leaves_a_log(capfd, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        raise ZeroDivisionError("by \ud800 nothing")
    except ZeroDivisionError as error:
        assert report(error) == 2
    err = capfd.readouterr().err
    assert err.startswith("error: unexpected ZeroDivisionError: by ")
    (log,) = re.findall(r"\[log: (.+)\]\n$", err)
    text = Path(log).read_text(encoding="utf-8")
    assert "glintfpga 0" in text and "Traceback" in text and "by \\ud800 nothing" in text


def test_no_place_for_a_log(capfd, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "none"))
        assert report(ZeroDivisionError("x")) == 2
    assert capfd.readouterr().err.endswith("[no log: No such file or directory]\n")
