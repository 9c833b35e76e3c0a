# SPDX-License-Identifier: MIT
import hashlib
import json
import os
import shutil

import pytest

from glintfpga.boards.shipped import release_folder
from glintfpga.host.report.inputs import REPORT


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_report_of_a_build(command, new_build, elsewhere):
    code, out, err = command("report", new_build(), "-o", "x/page.html", "--prompt", "To be")
    assert (code, out) == (0, b"")
    assert err.startswith("x/page.html: ")
    made = (elsewhere / "x" / "page.html").read_text()
    assert made.startswith("<!doctype html>") and "over To␣be" in made
    assert made.count("<figure ") == 9 and 'class="note"' not in made


def test_the_last_build_else_the_shipped_one(command, new_build, elsewhere):
    assert command("report")[0] == 0
    cells = json.loads((release_folder() / "tangnano20k" / "floorplan.json").read_text())["cells"]
    shown = f"{sum(count for *_, count in cells):,} placed cells"
    assert shown in (elsewhere / "report.html").read_text()
    shutil.copytree(new_build(), elsewhere / "build" / "tangnano20k")
    assert command("report")[0] == 0
    assert "20 placed cells" in (elsewhere / "report.html").read_text()


def test_no_build_at_all(command, elsewhere, monkeypatch):
    monkeypatch.setattr("glintfpga.boards.shipped.release_folder", lambda: elsewhere)
    code, _, err = command("report")
    assert code == 2
    assert err == (
        "error: there is no build of 'tangnano20k' here and none ships; "
        "run: glintfpga build --board tangnano20k\n"
    )
    assert command("report", "--board", "nothing")[0] == 2


@pytest.mark.quick
def test_bad_builds_leave_the_old_page(command, new_build, elsewhere):
    old = "<!doctype html>\n<html lang=\"en\"><head>default-src 'none'"
    (elsewhere / "report.html").write_text(old)
    folder = new_build(report={"timing": 3})
    for arguments, text in (
        ((folder,), "'timing' must be a JSON object, not 3"),
        ((elsewhere / "nowhere",), f"there is no {REPORT} in"),
        ((new_build("b"), "--prompt", ""), "the prompt must have 1 to 32 bytes"),
        ((new_build("c"), "--prompt", "x" * 33), "the prompt must have 1 to 32 bytes, not 33"),
        ((new_build("d"), "--model", "nope"), "there is no model 'nope'"),
    ):
        code, out, err = command("report", *arguments)
        assert (code, out) == (2, b"")
        assert text in err and err.count("\n") == 1
    assert (elsewhere / "report.html").read_text() == old


def test_models_that_do_not_ship(command, new_build, elsewhere, glint, image):
    digest = hashlib.sha256(image.data).hexdigest()
    stranger = new_build(manifest={"image_sha256": digest, "spec": image.model.spec.to_json()})
    assert command("report", stranger)[0] == 0
    made = (elsewhere / "report.html").read_text()
    assert made.count(f"The model (sha256 {digest[:16]}...) is not a shipped one") == 2
    assert command("report", stranger, "--model", glint)[0] == 0
    made = (elsewhere / "report.html").read_text()
    assert "Attention of pass 1" in made and "need the float checkpoint" in made
    code, _, err = command("report", new_build("other"), "--model", glint)
    assert code == 2
    assert "name the model that was built in" in err


def test_open(command, new_build, elsewhere, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    code, _, err = command("report", new_build(), "--open")
    assert (code, "browser can" in err) == (0, False)
    assert opened == [(elsewhere / "report.html").as_uri()]


def test_open_without_a_browser(command, new_build, elsewhere, monkeypatch):
    def xdg_open(url):
        os.system("echo 'xdg-open: no method available for opening it'; echo more >&2")
        return False

    monkeypatch.setattr("webbrowser.open", xdg_open)
    code, out, err = command("report", new_build(), "--open")
    assert (code, out) == (0, b"")
    assert err.splitlines()[1:] == ["no browser can be started here; open the page by hand"]
