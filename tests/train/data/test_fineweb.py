# SPDX-License-Identifier: MIT
import sys
import types

import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.train.data import fineweb
from glintfpga.train.data.documents import documents
from glintfpga.train.data.fineweb import fetch_fineweb

ROWS = [{"text": f" Page {number}.\n\n \nMore of it.\n"} for number in range(10)]


@pytest.fixture
def library(monkeypatch):
    """Stands for `datasets`, which needs the network."""
    module = types.ModuleType("datasets")
    module.load_dataset = lambda *names, **options: iter(ROWS)
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr(fineweb, "_SHARD_BYTES", 40)
    return module


def test_shards(library, tmp_path):
    calls = []
    sources = fetch_fineweb(
        tmp_path / "new", 95, added_by="Ann", progress=lambda *call: calls.append(call)
    )
    assert calls[-1] == (95, 95)
    assert [source.file for source in sources] == [
        "fineweb-edu-00000.txt.xz",
        "fineweb-edu-00001.txt.xz",
    ]
    found = [text for source in sources for text in documents(tmp_path / "new" / source.file)]
    assert found == [f"Page {number}.\nMore of it.".encode() for number in range(5)]
    assert all("ODC-By" in source.licence and not source.reviewed for source in sources)


def test_all_there_is(library, tmp_path):
    sources = fetch_fineweb(tmp_path, 10**9, added_by="Ann")
    assert sum(len(list(documents(tmp_path / source.file))) for source in sources) == 10


@pytest.mark.quick
def test_no_library_no_network(library, tmp_path, monkeypatch):
    def fail(*names, **options):
        raise ConnectionError("no\nroute")

    library.load_dataset = fail
    with pytest.raises(EnvironmentProblem, match="cannot fetch .* ConnectionError: no route"):
        fetch_fineweb(tmp_path, 10, added_by="Ann")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'glintfpga\[data\]'"):
        fetch_fineweb(tmp_path, 10, added_by="Ann")
