# SPDX-License-Identifier: MIT
"""Picture of a training: the loss of every replica over its tokens."""

import math
from collections.abc import Mapping, Sequence

from glintfpga.host.report.markup import Markup, element, formatted, join

__all__ = ["curves_picture", "drawing"]

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 36, 48
_COLORS = ("#3b6fb5", "#c2571a", "#2a8a5f", "#9a3b8f", "#7a6a10", "#b0323c", "#2f8799", "#5a5a5e")
_POINTS = 400


def curves_picture(curves: Mapping[int, Sequence[Mapping[str, float]]]) -> Markup | None:
    """An SVG file: smoothed loss in nats per token, over tokens; both axes logarithmic.

    ``curves`` is what ``Run.curves`` returns. ``None`` when there is no point to draw.
    """
    thinned = {
        index: points[:: math.ceil(len(points) / _POINTS)]
        for index, points in curves.items()
        if points
    }
    everything = [point for points in thinned.values() for point in points]
    if not everything:
        return None
    x = _Axis([point["tokens"] for point in everything], _LEFT, _WIDTH - _RIGHT)
    y = _Axis([point["loss"] for point in everything], _HEIGHT - _BOTTOM, _TOP)
    lines = [_line(index, points, x, y) for index, points in thinned.items()]
    return drawing(
        _WIDTH,
        _HEIGHT,
        "Training loss",
        _frame(x, y),
        *lines,
        element("text", "smoothed training loss, nats per token", x=_LEFT, y=20),
        element("text", "tokens", x=_WIDTH - _RIGHT, y=_HEIGHT - 10, text_anchor="end"),
    )


def drawing(width: int, height: int, label: str, *content: str) -> Markup:
    """A whole SVG file on white."""
    return join(
        element(
            "svg",
            element("title", label),
            element("rect", width=width, height=height, fill="#ffffff"),
            *content,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {width} {height}",
            width=width,
            height=height,
            role="img",
            font_family="sans-serif",
            font_size=13,
            fill="#222222",
        ),
        Markup("\n"),
    )


class _Axis:
    """Places values of a logarithmic axis between two coordinates."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = min(values), max(values)
        if self.low == self.high:
            self.low, self.high = self.low / 1.1, self.high * 1.1
        self._start, self._span = start, end - start

    def at(self, value: float) -> float:
        """Coordinate of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self._start + share * self._span

    def ticks(self) -> list[float]:
        """Round values on the axis: 1, 2 and 5 of each power, or tenths where those are few."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in ((1,), (1, 2, 5), tuple(step / 10 for step in range(10, 100))):
            found = [step * 10.0**power for power in powers for step in steps]
            found = [value for value in found if self.low <= value <= self.high]
            if len(found) >= 3:
                break
        return found[:: math.ceil(len(found) / 10) or 1]


def _frame(x: _Axis, y: _Axis) -> Markup:
    parts: list[str] = []
    for value in x.ticks():
        at, bottom = x.at(value), _HEIGHT - _BOTTOM
        parts.append(_rule(at, _TOP, at, bottom))
        parts.append(element("text", _short(value), x=at, y=bottom + 18, text_anchor="middle"))
    for value in y.ticks():
        at = y.at(value)
        parts.append(_rule(_LEFT, at, _WIDTH - _RIGHT, at))
        parts.append(element("text", _short(value), x=_LEFT - 8, y=at + 4, text_anchor="end"))
    return join(*parts)


def _rule(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), stroke="#dddddd")


def _line(index: int, points: Sequence[Mapping[str, float]], x: _Axis, y: _Axis) -> Markup:
    places = (f"{formatted(x.at(p['tokens']))},{formatted(y.at(p['loss']))}" for p in points)
    return element(
        "polyline",
        element("title", f"replica {index}"),
        points=" ".join(places),
        fill="none",
        stroke=_COLORS[index % len(_COLORS)],
        stroke_width=1.5,
    )


def _short(value: float) -> str:
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:.3g}"
