# SPDX-License-Identifier: MIT
import sys
import types

import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.evaluation.choices import Question
from glintfpga.quant.evaluation.fetch import fetch_sets
from glintfpga.quant.evaluation.pairs import Pair
from glintfpga.quant.evaluation.sets import find_sets, read_set
from glintfpga.quant.evaluation.wikitext import detokenized, leaderboard_text

ROWS = ["", " = Red @-@ tipped = \n", "", " It is 1 @,@ 000 ( or 2 @.@ 5 ) , isn 't it ? \n"]
PAGE = " = Red @-@ tipped = \n \n It is 1 @,@ 000 ( or 2 @.@ 5 ) , isn 't it ? \n "


def hub(path, name, split):
    return {
        "Salesforce/wikitext": [{"text": row} for row in ROWS],
        "EleutherAI/wikitext_document_level": [{"page": PAGE}],
        "nyu-mll/blimp": [{"sentence_good": "A.", "sentence_bad": "B.", "UID": name}],
        "allenai/ai2_arc": [
            {
                "question": split,
                "choices": {"text": ["x", "y"], "label": ["A", "B"]},
                "answerKey": "A",
            }
        ],
    }[path]


@pytest.fixture
def library(monkeypatch):
    """Stands for `datasets`, which needs the network: its two functions, and what they return."""
    module = types.ModuleType("datasets")
    module.load_dataset = hub
    module.get_dataset_config_names = lambda path: ["one", "two"]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


def test_files(tmp_path, library):
    calls = []
    fetch_sets(tmp_path / "new", progress=lambda *call: calls.append(call))
    sets = {found.name: found.content for found in map(read_set, find_sets(tmp_path / "new"))}
    assert calls[-1] == (7, 7) and len(sets) == 7
    assert sets["wikitext2-valid"].decode() == leaderboard_text(ROWS)
    assert sets["blimp"] == [Pair(good=b"A.", bad=b"B.", paradigm=name) for name in ("one", "two")]
    assert sets["arc-easy-valid"] == [
        Question(question=b"validation", choices=(b"x", b"y"), answer=0)
    ]
    (page,) = sets["wikitext2-test-docs"]
    assert (page.text.decode(), page.raw_bytes) == (detokenized(PAGE), len(PAGE))


def test_what_is_there_stays(tmp_path, library):
    (tmp_path / "blimp.jsonl.xz").write_bytes(b"mine")
    fetch_sets(tmp_path)
    assert (tmp_path / "blimp.jsonl.xz").read_bytes() == b"mine"


def test_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'glintfpga\[data\]'"):
        fetch_sets(tmp_path)


def test_no_network(tmp_path, library):
    def fail(*arguments, **options):
        raise ConnectionError("no\nroute")

    library.load_dataset = fail
    with pytest.raises(EnvironmentProblem, match="cannot fetch .* ConnectionError: no route"):
        fetch_sets(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_forms():
    assert leaderboard_text(ROWS) == (
        "= Red @-@ tipped = \n\n\n It is 1 @,@ 000 ( or 2 @.@ 5 ) , isn 't it ?"
    )
    assert detokenized(PAGE) == " = Red-tipped =\n\nIt is 1,000 (or 2.5), isn 't it?\n"


@pytest.mark.quick
@pytest.mark.parametrize(
    ("page", "typed"),
    [
        ("a ; b : c ! d", "a; b: c! d"),
        ("the lobsters ' claws", "the lobsters' claws"),
        ("it 's [ sic ] { x }", "it's [sic] {x}"),
        ('he said " no " .', 'he said "no" .'),
        ("= = = = Deep = = = =", "==== Deep ===="),
        ("at 40 ° N of", "at 40°N of"),
    ],
)
def test_detokenized(page, typed):
    assert detokenized(page) == typed
