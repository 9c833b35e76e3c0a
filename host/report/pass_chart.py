# SPDX-License-Identifier: MIT
"""One pass of the row machine, cycle by cycle: where it issues rows, and where it waits."""

from collections.abc import Iterator
from dataclasses import dataclass

from glintfpga.firmware.blink import latency
from glintfpga.firmware.blink.schedule import build_schedule
from glintfpga.host.report.markup import Markup, element, figure
from glintfpga.quant.blink.spec import DIM, ModelSpec

__all__ = ["NOW", "PassTimes", "pass_picture", "svg"]

_CELL, _ROW, _LABELS = 9, 18, 112
"""Pixels of a cycle, of a line, and of the names left of them."""
_ISSUE, _WAIT, _INK, _TEXT = "#ffb454", "#3d6fb6", "#121826", "#e6ebf5"


@dataclass(frozen=True, kw_only=True)
class PassTimes:
    """Cycles of the stages, as in `glintfpga.firmware.blink.latency`; with four lanes or eight.

    ``q`` is the place of Q among the first three words, and ``scores`` of the first SCORE word
    behind them: the later of what RoPE and what the K ring allow.
    """

    norm: int = latency.NORM
    value: int = latency.VALUE
    rotated: int = latency.ROTATED
    score_add: int = latency.SCORE_ADD
    score_x: int = latency.SCORE_X
    z: int = latency.Z
    hidden_x: int = latency.HIDDEN_X
    q: int = 0
    scores: int = latency.ROTATED - latency.TO_OPERAND
    score_groups: int = 2
    hidden_groups: int = 2

    @property
    def cycles(self) -> int:
        """Cycles of the whole pass."""
        return max(end for _, _, _, end in _stages(self))


NOW = PassTimes()
"""Window 8, hidden 6."""


def _stages(times: PassTimes) -> Iterator[tuple[str, int, int, int]]:
    """Name, first cycle, cycles that issue rows, and the cycle behind it."""
    first = times.norm - latency.TO_OPERAND
    yield "RMSNorm", 0, 0, times.norm
    yield "rows of q, k and v'", first, 3, first + 2 + times.value
    q = first + times.q
    yield "RoPE", q + times.value, 0, q + times.rotated
    score = q + times.scores
    last = score + times.score_groups - 1
    yield "scores", score, times.score_groups, last + times.value
    yield "softmax, v' sum", score + times.value, 0, last + times.score_add + 1
    middle = last + times.score_x + 1
    yield "divide, to x", last + times.score_add + 1, 0, middle
    yield "RMSNorm", middle, 0, middle + times.norm
    gate = middle + first
    words = 2 * times.hidden_groups
    yield "rows of gate, up", gate, words, gate + words - 1 + times.value
    last = gate + words - 2
    yield "SiLU times up", gate + times.value, 0, last + times.z
    yield "down sum, to x", gate + times.z, 0, last + times.hidden_x + 1


def _drawn(times: PassTimes, y: int) -> Markup:
    text = {"fill": _TEXT, "font_size": 11, "font_family": "sans-serif"}
    parts = []
    for line, (name, start, issues, end) in enumerate(_stages(times)):
        top = y + line * _ROW
        parts.append(element("text", name, x=8, y=top + 12, **text))
        for cycle in range(start, end):
            color = _ISSUE if cycle < start + issues else _WAIT
            at = _LABELS + cycle * _CELL
            parts.append(
                element("rect", x=at, y=top + 2, width=_CELL - 1, height=_ROW - 5, fill=color)
            )
    return element("g", *parts)


def svg(*charts: tuple[str, PassTimes], **attributes: str) -> Markup:
    """Passes one below the other, each under its title; more attributes for the picture."""
    line = (1 + len(list(_stages(NOW)))) * _ROW + 14
    width = _LABELS + _CELL * max(times.cycles for _, times in charts) + 6
    parts = []
    for index, (title, times) in enumerate(charts):
        y = index * line + 6
        parts.append(
            element("text", title, x=8, y=y + 12, fill=_TEXT, font_size=13, font_weight=600,
                    font_family="sans-serif"),
        )  # fmt: skip
        parts.append(_drawn(times, y + _ROW + 2))
    height = line * len(charts) + 6
    label = "; ".join(title for title, _ in charts)
    return element(
        "svg",
        element("title", label),
        element("rect", width=width, height=height, rx=6, fill=_INK),
        *parts,
        role="img",
        aria_label=label,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        **attributes,
    )


def pass_picture(spec: ModelSpec, lanes: int) -> Markup:
    """For the page of a build."""
    if lanes < DIM:
        note = "Not drawn for two lanes, where a matrix takes more words than one."
        return figure("pass", "One pass", element("div", note, class_="note"), "")
    least = build_schedule(lanes).min_score_groups
    times = PassTimes(
        score_groups=max(least, -(-spec.window // lanes)), hidden_groups=-(-spec.hidden // lanes)
    )
    caption = (
        "One pass with the window full. In an orange cycle rows enter the lanes; blue is latency: "
        "with one token at a time there is nothing else to do. From the latencies that the "
        "schedule is made of (firmware/blink/latency.py)."
    )
    return figure("pass", "One pass", svg((f"{times.cycles} cycles a pass", times)), caption)
