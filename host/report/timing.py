# SPDX-License-Identifier: MIT
"""Picture of the slowest path: its delays end to end, and the cells that it runs through."""

from collections.abc import Sequence
from dataclasses import dataclass

from glintfpga.host.report.inputs import PathStep, SlowPath
from glintfpga.host.report.markup import Markup, element, figure, join, shortened

__all__ = ["CellRun", "runs_of", "timing_picture"]

_KINDS = {"wires": "wires", "logic": "logic", "clock-to-out": "flip-flop", "setup": "flip-flop"}
_WIRES = "wires"


@dataclass(frozen=True)
class CellRun:
    """Consecutive cells of one type on the path, such as a carry chain."""

    type: str
    cells: int
    first: PathStep
    last: PathStep
    logic_ns: float
    wires_ns: float


def runs_of(steps: Sequence[PathStep]) -> list[CellRun]:
    """The steps, grouped where one type of cell follows another."""
    groups: list[list[PathStep]] = []
    for step in steps:
        if not groups or groups[-1][0].type != step.type:
            groups.append([])
        groups[-1].append(step)
    return [
        CellRun(
            group[0].type,
            len(dict.fromkeys(step.cell for step in group)),
            group[0],
            group[-1],
            sum(step.delay_ns for step in group if step.kind != _WIRES),
            sum(step.delay_ns for step in group if step.kind == _WIRES),
        )
        for group in groups
    ]


def timing_picture(path: SlowPath, clock_mhz: float) -> Markup:
    """The path as one bar of delays against the clock period, and as tables."""
    period = 1e3 / clock_mhz
    share = min(1.0, path.delay_ns / period)
    segments = [
        element(
            "i",
            class_=_KINDS.get(step.kind, "other"),
            style=f"flex-grow:{step.delay_ns:.3f}",
            title=f"{step.kind}, {step.type}: {step.delay_ns:.3f} ns",
        )
        for step in path.steps
        if step.delay_ns
    ]
    wires = sum(step.delay_ns for step in path.steps if step.kind == _WIRES)
    label = (
        f"Slowest path {path.delay_ns:.2f} ns, {wires:.2f} ns of it wires, "
        f"of a clock period of {period:.2f} ns"
    )
    fill = element("div", *segments, class_="fill", style=f"width:{100 * share:.2f}%")
    bar = element(
        "div",
        element("div", element("b", f"{path.delay_ns:.2f} ns"), class_="what"),
        element("div", f"of {period:.2f} ns, the period of {clock_mhz:g} MHz", class_="number"),
        element("div", fill, class_="track", role="img", aria_label=label),
        class_="bar",
    )
    legend = element(
        "div",
        *(
            element("span", element("i", class_=kind), kind)
            for kind in dict.fromkeys(_KINDS.values())
        ),
        class_="legend",
    )
    caption = (
        f"The slowest of all paths, from {path.start_kind} to {path.end_kind}, {len(path.steps)} "
        "delays end to end, computed from the chip database. On the floorplan it is the white "
        "line, from circle to square."
    )
    tables = _runs(path.steps), _details(path.steps)
    picture = element("div", legend, bar, *tables, class_="bars path")
    return figure("timing", "The slowest path", picture, caption)


def _runs(steps: Sequence[PathStep]) -> Markup:
    rows = [
        (
            run.type if run.cells == 1 else f"{run.type} × {run.cells}",
            shortened(run.first.cell),
            _place(run.first)
            if _place(run.first) == _place(run.last)
            else f"{_place(run.first)} to {_place(run.last)}",
            f"{run.logic_ns:.2f}",
            f"{run.wires_ns:.2f}",
        )
        for run in runs_of(steps)
    ]
    return _table(("cells", "near the signal", "tile", "logic, ns", "wires, ns"), rows)


def _details(steps: Sequence[PathStep]) -> Markup:
    at = 0.0
    rows = []
    for step in steps:
        at += step.delay_ns
        rows.append(
            (
                step.kind,
                f"{step.delay_ns:.3f}",
                f"{at:.3f}",
                f"{step.type} {step.bel}",
                shortened(step.cell, 48),
                shortened(step.net or "", 48),
            )
        )
    heads = ("delay", "ns", "sum, ns", "cell at", "near the signal", "net of")
    return element("details", element("summary", f"all {len(rows)} delays"), _table(heads, rows))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    body = [element("tr", *(element("td", text) for text in row)) for row in rows]
    table = element("table", element("thead", head), element("tbody", *body))
    return element("div", join(table), class_="scroll", tabindex=0)


def _place(step: PathStep) -> str:
    return f"X{step.x}Y{step.y}"
