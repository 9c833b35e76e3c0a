# SPDX-License-Identifier: MIT
import json
import lzma

import numpy as np
import pytest

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.choices import Question
from glintfpga.quant.evaluation.pairs import Pair
from glintfpga.quant.evaluation.perplexity import Page
from glintfpga.quant.evaluation.sets import find_sets, read_set
from support.table_scorer import TableScorer

EVEN = TableScorer(np.full((256, 256), -np.log(256)))
PAIR = {"sentence_good": "The cats sit.", "sentence_bad": "The cats sits.", "UID": "agreement"}
PAGE = {"page": " = T = \n é , ", "text": "= T =\né,"}
QUESTION = {
    "question": "Why?",
    "choices": {"text": ["a", "b"], "label": ["1", "2"]},
    "answerKey": "2",
}


def write(path, *rows):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(lzma.compress(data) if path.suffix == ".xz" else data)
    return path


def test_kinds(tmp_path):
    (pair,) = read_set(write(tmp_path / "a.jsonl", {**PAIR, "pair_id": 7})).content
    assert pair == Pair(good=b"The cats sit.", bad=b"The cats sits.", paradigm="agreement")
    (page,) = read_set(write(tmp_path / "b.jsonl.xz", PAGE)).content
    assert page == Page(text="= T =\né,".encode(), raw_bytes=14)
    (question,) = read_set(write(tmp_path / "c.jsonl", QUESTION)).content
    assert question == Question(question=b"Why?", choices=(b"a", b"b"), answer=1)
    (tmp_path / "d.txt").write_bytes(b"text")
    assert read_set(tmp_path / "d.txt", limit=3).content == b"tex"
    found = find_sets(tmp_path)
    assert [read_set(path).name for path in found] == list("abcd")
    forms = [[row.form for row in read_set(path).score(EVEN, numerics="float")] for path in found]
    assert forms == [
        ["sum", "sum"],
        ["per page byte"],
        ["sum", "per byte"],
        ["256-byte windows", "continuous"],
    ]


def test_a_byte_order_mark_is_no_part_of_a_row(tmp_path):
    path = write(tmp_path / "a.jsonl", PAIR, PAIR)
    plain = read_set(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_set(path) == plain


def test_lines_across_pieces(tmp_path):
    long = "x" * 100_000
    path = write(tmp_path / "a.jsonl.xz", *[{**PAIR, "UID": long}] * 25)
    assert [pair.paradigm for pair in read_set(path).content] == [long] * 25


def test_one_file_and_no_files(tmp_path):
    path = write(tmp_path / "a.jsonl", PAIR)
    assert find_sets(path) == [path]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there is no .txt, .jsonl"):
        find_sets(tmp_path / "empty")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no rows"),
        ([PAIR, PAGE], "line 2 of .* another kind"),
        ([{"a": 1}], r"no page, pair of sentences or question, but \['a'\]"),
        ([{**PAIR, "UID": 3}], "'UID' must be a string, not 3"),
        ([{**PAIR, "sentence_good": "\ud800"}], "'sentence_good' is not Unicode"),
        ([{**PAGE, "text": None}], "'text' must be a string"),
        ([{**QUESTION, "choices": ["a"]}], "'choices' must have as many"),
        ([{**QUESTION, "choices": {"text": ["a"], "label": []}}], "'choices' must have as many"),
        ([{**QUESTION, "answerKey": "3"}], "'answerKey' '3' is none of the labels"),
        ([{**QUESTION, "answerKey": []}], r"'answerKey' \[\] is none of the labels"),
        ([[1]], "line 1 of .* no JSON object"),
    ],
)
def test_hostile_rows(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_set(write(tmp_path / "a.jsonl", *rows))


def test_hostile_files(tmp_path):
    path = tmp_path / "a.jsonl.xz"
    path.write_bytes(lzma.compress(b"x" * 10_000)[:-30])
    with pytest.raises(InputError, match="cannot read"):
        read_set(path)
    path.write_bytes(lzma.compress(b'{"UID": "\xff"}\n'))
    with pytest.raises(InputError, match="line 1 of .* not JSON"):
        read_set(path)
