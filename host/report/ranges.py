# SPDX-License-Identifier: MIT
"""Picture of the number formats: how much of each tensor's range its values fill."""

import math
import re
from collections.abc import Sequence

from glintfpga.host.report.markup import Markup, element, figure, formatted, join
from glintfpga.quant.blink.quantize_report import QuantizeReport, TensorRow

__all__ = ["LEFT", "RIGHT", "ranges_picture"]

LEFT, RIGHT = -14, 18
"""Ends of the axis, as powers of two."""
_TICKS = range(-12, 17, 4)
_LINE = 6
"""Height of the line of one pass."""
_ORDER = " q k v score x gate up z logit "
"""Values in the order in which they are computed."""
_FORMAT = re.compile(r"[su](\d+)\.(-?\d+)")
_TITLES = {
    "wq": "W q",
    "wk": "W k",
    "wv": "W v'",
    "gate": "gate",
    "up": "up",
    "down": "down",
    "score": "scores q·k",
    "x": "residual x",
    "logit": "logits",
}


def ranges_picture(report: QuantizeReport) -> Markup:
    """A row per tensor with a line per pass: from the smallest step to the limit of its format."""
    weights = [row for row in report.rows if row.snr_db is not None]
    values = [row for row in report.rows if row.snr_db is None]
    values.sort(key=lambda row: _ORDER.find(f" {row.tensor} "))
    picture = element(
        "div",
        _axis(),
        element("h3", "weights, as stored"),
        *_tensors(weights),
        element("h3", "values, while the model writes"),
        *_tensors(values),
        _axis(),
        class_="ranges",
    )
    saturated = sum(row.saturated for row in report.rows)
    total = sum(row.count for row in report.rows)
    caption = (
        "One line per pass, first pass on top: it spans what the format can hold, from its step to "
        "its limit; the dot is the largest number there is, red where numbers saturate "
        f"({saturated:,} of {total:,}). Rounding noise of weights as signal-to-noise ratio. "
        "Measured just now on the float checkpoint, over text that it samples itself from a fixed "
        f"seed; logits of the {report.lanes}-lane integer reference against the float ones: "
        f"{report.logit_snr_db:.1f} dB."
    )
    return figure("ranges", "How the numbers fit", picture, caption)


def _tensors(rows: Sequence[TensorRow]) -> list[Markup]:
    groups: dict[str, list[TensorRow]] = {}
    for row in rows:
        groups.setdefault(row.tensor, []).append(row)
    return [_tensor(name, group) for name, group in groups.items()]


def _tensor(name: str, rows: Sequence[TensorRow]) -> Markup:
    formats = list(dict.fromkeys(row.format for row in sorted(rows, key=_frac)))
    shown = formats[0] if len(formats) == 1 else f"{formats[0]} to {formats[-1]}"
    saturated, count = sum(r.saturated for r in rows), sum(r.count for r in rows)
    ratios = sorted({f"{row.snr_db:.0f}" for row in rows if row.snr_db is not None}, key=float)
    snr = f"{' to '.join(dict.fromkeys((ratios[0], ratios[-1])))} dB" if ratios else ""
    largest = max(row.largest for row in rows)
    label = f"{name}: format {shown}, largest {largest:.3g}, {saturated} of {count} saturated" + (
        f", {snr}" if snr else ""
    )
    return element(
        "div",
        element("div", element("b", _TITLES.get(name, name)), " ", element("span", shown)),
        _lines(rows, label),
        element(
            "div",
            join(
                element("span", f"{saturated:,} / {count:,}", class_="hit" if saturated else None),
                element("span", snr),
            ),
            class_="counts",
        ),
        class_="tensor",
    )


def _lines(rows: Sequence[TensorRow], label: str) -> Markup:
    """Lines with rounded ends that keep their width while the picture stretches."""
    height = _LINE * len(rows)
    marks: list[str] = [
        element("path", d=f"M{tick} 0V{height}", class_="unit" if tick == 0 else "tick")
        for tick in _TICKS
    ]
    for index, row in enumerate(rows):
        y = _LINE * (index + 0.5)
        width, frac = _split(row.format)
        low, high = _inside(-frac), _inside(width - 1 - frac)
        title = element(
            "title",
            f"{'' if row.index < 0 else f'pass {row.index}, '}{row.format}: largest "
            f"{row.largest:.4g}, {row.saturated} of {row.count} saturated",
        )
        marks.append(element("path", title, d=f"M{formatted(low)} {y}H{formatted(high)}"))
        if row.largest > 0:
            x = formatted(_inside(math.log2(row.largest)))
            kind = "dot hit" if row.saturated else "dot"
            marks.append(element("path", d=f"M{x} {y}h0", class_=kind))
    return element(
        "svg",
        *marks,
        viewBox=f"{LEFT} 0 {RIGHT - LEFT} {height}",
        style=f"height:{height}px",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def _axis() -> Markup:
    ticks = [
        element(
            "span",
            "1" if tick == 0 else join("2", element("sup", str(tick).replace("-", "−"))),
            style=f"left:{100 * (tick - LEFT) / (RIGHT - LEFT):.2f}%",
        )
        for tick in _TICKS
    ]
    counts = element("div", element("span", "saturated"), element("span", "SNR"), class_="counts")
    return element(
        "div",
        element("div", element("span", "tensor, format")),
        element("div", *ticks, class_="scale", aria_hidden="true"),
        counts,
        class_="tensor axis",
    )


def _split(form: str) -> tuple[int, int]:
    match = _FORMAT.fullmatch(form)
    assert match, form
    return int(match[1]), int(match[2])


def _frac(row: TensorRow) -> int:
    return _split(row.format)[1]


def _inside(exponent: float) -> float:
    return min(max(exponent, LEFT), RIGHT)
