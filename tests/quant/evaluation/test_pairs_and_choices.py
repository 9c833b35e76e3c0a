# SPDX-License-Identifier: MIT
import math

import numpy as np
import pytest

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.choices import Question, score_questions
from glintfpga.quant.evaluation.pairs import Pair, score_pairs
from support.table_scorer import TableScorer

WEIGHTS = np.ones(256)
WEIGHTS[list(b"abc")] = 8, 4, 2
UNIGRAM = TableScorer(np.broadcast_to(np.log(WEIGHTS / WEIGHTS.sum()), (256, 256)))
NAMES = {"benchmark": "b", "numerics": "float"}


def pair(good, bad, paradigm="p"):
    return Pair(good=good, bad=bad, paradigm=paradigm)


RIGHT, WRONG, TIE = pair(b"xab", b"xbc"), pair(b"xc", b"xa"), pair(b"xab", b"yba")


def test_accuracies():
    """One paradigm is right in 2 of 3 pairs, the other in 0 of 1."""
    rows = score_pairs(UNIGRAM, [RIGHT, WRONG, RIGHT, pair(b"xc", b"xa", "q")], **NAMES)
    paradigms, pairs = rows
    assert (pairs.metric, pairs.value, pairs.n) == ("pair accuracy, %", 50.0, 4)
    assert pairs.stderr == pytest.approx(100 * math.sqrt(0.25 / 3))
    assert paradigms.stderr is None, "one paradigm has a single pair"
    assert (paradigms.metric, paradigms.n) == ("paradigm accuracy, %", 2)
    assert paradigms.value == pytest.approx(100 / 3)
    twice = score_pairs(UNIGRAM, [RIGHT, WRONG, RIGHT, *[pair(b"xc", b"xa", "q")] * 2], **NAMES)
    assert twice[0].value == paradigms.value
    assert twice[0].stderr == pytest.approx(100 * math.sqrt(2 / 9 / 2) / 2)


def test_one_trial_tells_of_no_spread():
    rows = [
        *score_pairs(UNIGRAM, [RIGHT], **NAMES),
        *score_questions(UNIGRAM, [ask(b"c", b"aaa", answer=1)], **NAMES),
    ]
    assert [row.stderr for row in rows] == [None] * 4
    assert [row.error_text(2) for row in rows] == ["-"] * 4


@pytest.mark.quick
def test_ties_are_wrong_and_the_first_byte_does_not_count():
    assert score_pairs(UNIGRAM, [TIE, pair(b"cb", b"ac")], **NAMES)[1].value == 50.0


def test_no_pairs_no_questions():
    with pytest.raises(InputError, match="no pair"):
        score_pairs(UNIGRAM, [], **NAMES)
    with pytest.raises(InputError, match="no question"):
        score_questions(UNIGRAM, [], **NAMES)


def ask(*choices, answer):
    return Question(question=b"aaaa?", choices=choices, answer=answer)


def test_sum_and_per_byte():
    """The short choice wins by sum, the long one of likely letters per byte."""
    whole, share = score_questions(
        UNIGRAM, [ask(b"c", b"aaa", answer=1), ask(b"zz", b"cc", answer=1)], **NAMES
    )
    assert (whole.form, whole.value, whole.n) == ("sum", 50.0, 2)
    assert (share.form, share.value) == ("per byte", 100.0)
    assert share.stderr == 0.0
    assert whole.stderr == pytest.approx(50.0)


def test_first_wins_a_tie():
    first, last = ask(b"ab", b"ba", answer=0), ask(b"ab", b"ba", answer=1)
    assert [row.value for row in score_questions(UNIGRAM, [first, first], **NAMES)] == [100, 100]
    assert [row.value for row in score_questions(UNIGRAM, [last], **NAMES)] == [0, 0]


def test_passages_of_a_question():
    (one,) = ask(b"choice", answer=0).passages()
    assert one.text == b"Question: aaaa?\nAnswer: choice"
    assert one.text[one.first :] == b" choice"
