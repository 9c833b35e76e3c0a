# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.train.data import python_docs
from glintfpga.train.data.documents import documents
from glintfpga.train.data.gate import checked
from glintfpga.train.data.manifest import read_manifest
from glintfpga.train.data.python_docs import python_manifest

MODULE = '''"""Title of it.
===========

One paragraph
on two lines, {long}

    indented(code)

>>> example()

Last.
"""
raise SystemExit("imported")
def f():
    "Does this."
'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "lib"
    (folder / "test").mkdir(parents=True)
    (folder / "one.py").write_text(MODULE.replace("{long}", "word " * 50 + "end."))
    (folder / "test/two.py").write_text(MODULE.replace("{long}", "tests " * 50))
    (folder / "broken.py").write_text("def (")
    (folder / "latin.py").write_bytes(b'"""\xff"""')
    monkeypatch.setattr(python_docs.sysconfig, "get_path", lambda name: str(folder))
    monkeypatch.setattr(python_docs, "_topics", list)
    return folder


def test_docstrings(library, tmp_path):
    calls = []
    path = python_manifest(tmp_path / "c", progress=lambda *call: calls.append(call))
    assert calls[-1] == (3, 3)
    manifest = read_manifest(path)
    (source,) = manifest.sources
    (document,) = documents(manifest.path(source))
    paragraph = "One paragraph on two lines, " + "word " * 50 + "end."
    assert document.decode().split("\n") == ["Title of it.", paragraph, "Last.", "Does this."]
    assert not checked(path).passed
    assert not source.reviewed
    assert "PSF" in source.licence


def test_made_once(library, tmp_path):
    before = python_manifest(tmp_path / "c").read_bytes()
    (library / "one.py").unlink()
    assert python_manifest(tmp_path / "c").read_bytes() == before


@pytest.mark.quick
def test_nothing_there(library, tmp_path):
    (library / "one.py").unlink()
    with pytest.raises(EnvironmentProblem, match="has no docstrings: name a manifest"):
        python_manifest(tmp_path / "c")
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="choose another cache"):
        python_manifest(tmp_path / "file")


def test_topics_of_this_python():
    assert any("yield" in topic for topic in python_docs._topics())
