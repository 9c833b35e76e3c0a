# SPDX-License-Identifier: MIT
import re
from xml.etree import ElementTree

import pytest

from glintfpga.host.training.bracket import bracket_picture
from glintfpga.host.training.curves import curves_picture
from glintfpga.train.merge.tournament import Bracket, Entry


def points(*pairs):
    return [{"tokens": tokens, "loss": loss} for tokens, loss in pairs]


def coordinates(picture):
    lines = re.findall(r'<polyline points="([^"]*)"', picture)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines]


def test_loss_falls_to_the_right_on_the_page():
    picture = curves_picture({0: points((1e3, 5.5), (1e5, 3.0), (1e7, 2.6)), 3: points((2e3, 4))})
    ElementTree.fromstring(picture)
    first, _ = coordinates(picture)
    assert [x for x, _ in first] == pytest.approx([60, 380, 700])
    assert [y for _, y in first] == sorted(y for _, y in first)
    assert first[0][1] == pytest.approx(36) and first[-1][1] == pytest.approx(352)
    assert "replica 3" in picture and "100 k" in picture


@pytest.mark.quick
def test_long_curves_are_thinned_and_empty_ones_left_out():
    picture = curves_picture({0: points(*((n, 5 / n) for n in range(1, 3000))), 1: []})
    (line,) = coordinates(picture)
    assert 200 < len(line) <= 400
    assert curves_picture({0: []}) is None
    ElementTree.fromstring(curves_picture({0: points((5, 2.0))}))


def test_a_bracket_shows_every_entry_and_the_lines_that_count():
    entries = (
        Entry(name="a", path="", round=0, score=2.0, outcome="field"),
        Entry(name="b", path="", round=0, score=None, outcome="hung: killed after 5 s"),
        Entry(name="c", path="", round=0, score=2.1, outcome="field"),
        Entry(name="m1-00", path="", round=1, parents=("a", "c"), t=0.5, score=1.9, outcome="kept"),
        Entry(name="m1-01", path="", round=1, parents=("a", "c"), t=0.75, score=2.9, outcome="out"),
    )
    picture = bracket_picture(Bracket(entries=entries, winner="m1-00"))
    ElementTree.fromstring(picture)
    assert all(entry.name in picture for entry in entries)
    assert picture.count("<path ") == 2
    assert "no score" in picture and "hung: killed after 5 s" in picture
    assert "m1-00: a + c, t = 0.5; winner" in picture
