# SPDX-License-Identifier: MIT
import json

import pytest

from glintfpga.boards.export.verilog import Export
from glintfpga.quant.errors import EnvironmentProblem


@pytest.fixture
def asked(monkeypatch):
    """Calls of an `export` that writes nothing but a line."""
    calls = []

    def export(options, *, apio, progress):
        calls.append((options, apio))
        progress(1.0)
        return Export(
            files={"top.v": f"// {options.device.lanes} lanes\n"},
            facts={"plan": options.device.plan.code},
        )

    monkeypatch.setattr("glintfpga.boards.export.verilog.export", export)
    return calls


def test_options(command, asked, tmp_path):
    folder = tmp_path / "out"
    code, out, err = command("export", folder, "--lanes", 2, "--clock-mhz", 81, "--apio")
    assert (code, out.decode().strip()) == (0, str(folder))
    assert err == f"next: the commands in {folder / 'README.md'}\n"
    assert (folder / "top.v").read_text() == "// 2 lanes\n"
    assert json.loads((folder / "export.json").read_text())["plan"] == 12
    ((options, apio),) = asked
    assert (options.model_name, options.device.lanes) == ("blink-base", 2)
    assert options.device.clock_hz == 81_000_000
    assert apio
    assert options.image is not None


def test_plan_and_name_of_an_image(command, asked, tmp_path, new_image):
    path = tmp_path / "nine.glint"
    path.write_bytes(new_image(plan=9).data)
    assert command("export", tmp_path / "out", "--model", path)[0] == 0
    ((options, apio),) = asked
    assert (options.model_name, options.device.plan.code, apio) == ("nine", 9, False)
    assert options.image == path.read_bytes()


def test_a_folder_in_use_is_refused(command, asked, tmp_path):
    (tmp_path / "mine").write_text("x")
    code, out, err = command("export", tmp_path)
    assert (code, out) == (2, b"")
    assert "holds 'mine'" in err
    assert not asked
    assert not (tmp_path / "top.v").exists()


@pytest.mark.quick
def test_nothing_is_written_when_it_fails(command, monkeypatch, tmp_path):
    def export(options, *, apio, progress):
        raise EnvironmentProblem("no Yosys")

    monkeypatch.setattr("glintfpga.boards.export.verilog.export", export)
    assert command("export", tmp_path / "out")[0] == 3
    assert not (tmp_path / "out").exists()
