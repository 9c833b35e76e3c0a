# SPDX-License-Identifier: MIT
"""Picture of a tournament: a column per round, checkpoints by score, lines to the parents."""

import math
from typing import TYPE_CHECKING

from glintfpga.host.report.markup import Markup, element
from glintfpga.host.training.curves import drawing

if TYPE_CHECKING:
    from glintfpga.train.merge.tournament import Bracket, Entry

__all__ = ["bracket_picture"]

_ROW, _COLUMN, _BOX, _TOP, _LEFT = 26, 260, 190, 56, 20
_FILL = {"winner": "#f2c14e", "kept": "#bfe3cd", "field": "#cfdff5", "out": "#f1f1f1"}
_FAILED = "#f3c6c2"


def bracket_picture(bracket: "Bracket") -> Markup:
    """An SVG file. Scores are nats per byte, lower is better; best first in each column."""
    rounds = sorted({entry.round for entry in bracket.entries})
    columns = [
        sorted(
            (entry for entry in bracket.entries if entry.round == number),
            key=lambda entry: math.inf if entry.score is None else entry.score,
        )
        for number in rounds
    ]
    places = {
        entry.name: (_LEFT + column * _COLUMN, _TOP + row * _ROW)
        for column, entries in enumerate(columns)
        for row, entry in enumerate(entries)
    }
    lines, boxes = [], []
    for entry in bracket.entries:
        outcome = "winner" if entry.name == bracket.winner else entry.outcome
        boxes.append(_box(entry, outcome, *places[entry.name]))
        # Lines of all merges would hide those that count.
        if outcome in ("winner", "kept"):
            lines += [_link(places[parent], places[entry.name]) for parent in entry.parents]
    titles = [
        element(
            "text",
            f"merges of round {number}" if number else "trained",
            x=_LEFT + column * _COLUMN,
            y=_TOP - 12,
            font_weight="bold",
        )
        for column, number in enumerate(rounds)
    ]
    legend = element(
        "text",
        "nats per byte, lower is better; green: better than all of the round before",
        x=_LEFT,
        y=20,
    )
    height = _TOP + _ROW * max(len(entries) for entries in columns) + 10
    width = _LEFT + _COLUMN * max(2, len(rounds))
    return drawing(width, height, "Tournament", legend, *titles, *lines, *boxes)


def _box(entry: "Entry", outcome: str, x: int, y: int) -> Markup:
    score = "no score" if entry.score is None else f"{entry.score:.5f}"
    source = f"{' + '.join(entry.parents)}, t = {entry.t}; " if entry.parents else ""
    return element(
        "g",
        element("title", f"{entry.name}: {source}{outcome}"),
        element(
            "rect", x=x, y=y, width=_BOX, height=_ROW - 4, rx=3, fill=_FILL.get(outcome, _FAILED)
        ),
        element("text", entry.name, x=x + 8, y=y + 16),
        element("text", score, x=x + _BOX - 8, y=y + 16, text_anchor="end"),
    )


def _link(start: tuple[int, int], end: tuple[int, int]) -> Markup:
    (x1, y1), (x2, y2) = start, end
    middle = _ROW // 2 - 2
    x1 += _BOX
    bend = (x1 + x2) // 2
    return element(
        "path",
        d=f"M{x1} {y1 + middle}C{bend} {y1 + middle} {bend} {y2 + middle} {x2} {y2 + middle}",
        fill="none",
        stroke="#888888",
    )
