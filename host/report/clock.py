# SPDX-License-Identifier: MIT
"""The timing in report.json, checked, and its pictures: slack of all inputs, the worst paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glintfpga.boards.gowin.timing.report import ROUTER_LEAVES_OUT, TIMING, assumptions
from glintfpga.host.report.fields import Fields, read_json
from glintfpga.host.report.markup import Markup, element, figure, shortened
from glintfpga.quant.errors import InputError

__all__ = ["KindPath", "Slack", "TimingFacts", "read_timing", "slack_picture", "timing_of"]

_MAX_SLOTS = 1 << 12


@dataclass(frozen=True)
class Slack:
    """Inputs by slack: ``counts[i]`` from ``first_ns + i * step_ns`` on."""

    first_ns: float
    step_ns: float
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class KindPath:
    """The worst path from one kind of cell to another."""

    start_kind: str
    end_kind: str
    delay_ns: float
    wires_ns: float
    mhz: float
    first_cell: str
    last_cell: str
    source: str
    """File and line of the last signal that has one."""


@dataclass(frozen=True, kw_only=True)
class TimingFacts:
    """What static timing found; see ``boards.gowin.timing.report``."""

    limit_mhz: float
    margin: float
    router_mhz: float | None
    grade: str
    assumed: Mapping[str, float]
    left_out: Mapping[str, int]
    hold_slack_ns: float
    slack: Slack
    paths: tuple[KindPath, ...]


def timing_of(folder: Path) -> dict[str, Any]:
    """timing.json of a build's folder, else what report.json has of it, with its fields checked.

    Raises ``InputError`` naming the field, or the folder that has neither.
    """
    for name, where in ((TIMING, None), ("report.json", "timing")):
        if (folder / name).is_file():
            found = read_json(folder / name, what="timing")
            timing = found.inner(where) if where else found
            read_timing(timing)
            for field in ("clock_mhz", "margin_wanted", "skew_ns"):
                timing.number(field)
            return {field: timing.raw(field) for field in timing.names()}
    if not folder.is_dir():
        raise InputError(f"{str(folder)!r} is no folder; name one that glintfpga build wrote")
    raise InputError(f"there is no {TIMING} in {str(folder)!r}; run: glintfpga build")


def read_timing(timing: Fields) -> TimingFacts:
    """The object ``timing`` of report.json. Raises ``InputError`` naming the field."""
    assumed, left_out, slack = (timing.inner(name) for name in ("assumed", "left_out", "slack"))
    router = timing.inner("router")
    counts = slack.wholes("counts", _MAX_SLOTS)
    return TimingFacts(
        limit_mhz=timing.number("limit_mhz"),
        margin=timing.signed("margin"),
        router_mhz=router.number("limit_mhz") if "limit_mhz" in router else None,
        grade=timing.text("grade"),
        assumed={name: assumed.number(name) for name in assumed.names()},
        left_out={name: left_out.whole(name) for name in left_out.names()},
        hold_slack_ns=timing.signed("hold_slack_ns"),
        slack=Slack(slack.signed("first_ns"), slack.number("step_ns"), tuple(counts)),
        paths=tuple(_path(path) for path in timing.inners("paths")),
    )


def _path(path: Fields) -> KindPath:
    steps = path.inners("steps")
    for step in steps:
        step.number("delay_ns")
        for name in ("kind", "cell", "bel"):
            step.text(name)
    sources = [step.text("source") for step in steps if "source" in step]
    return KindPath(
        start_kind=path.text("from"),
        end_kind=path.text("to"),
        delay_ns=path.number("delay_ns"),
        wires_ns=path.number("wires_ns"),
        mhz=path.number("mhz"),
        first_cell=steps[0].text("cell") if steps else "",
        last_cell=steps[-1].text("cell") if steps else "",
        source=sources[-1] if sources else "",
    )


def slack_picture(timing: TimingFacts, clock_mhz: float) -> Markup:
    """A histogram of the slack of every sampled input, and the worst path of each kind."""
    slack = timing.slack
    highest = max(slack.counts, default=1)
    bars = [
        element(
            "i",
            style=f"height:{100 * count / highest:.2f}%",
            title=f"{_range(slack, at)}: {count:,} inputs",
        )
        for at, count in enumerate(slack.counts)
    ]
    last_ns = slack.first_ns + slack.step_ns * len(slack.counts)
    total = sum(slack.counts)
    chart = element(
        "div",
        element(
            "div",
            *bars,
            class_="slots",
            role="img",
            aria_label=f"Slack of {total:,} inputs from {slack.first_ns:g} to {last_ns:g} ns",
        ),
        element(
            "div",
            element("span", f"{slack.first_ns:g} ns to spare"),
            element("span", f"{last_ns:g} ns"),
            class_="ends",
        ),
        class_="slack",
    )
    router = (
        ""
        if timing.router_mhz is None
        else (f" The router says {timing.router_mhz:.1f} MHz: it leaves out {ROUTER_LEAVES_OUT}.")
    )
    left_out = sum(timing.left_out.values())
    caption = (
        f"How much earlier than {clock_mhz:g} MHz asks each of {total:,} inputs of flip-flops, "
        f"block RAMs, multipliers and pads settles, in steps of {slack.step_ns:g} ns. The worst "
        f"path allows {timing.limit_mhz:.1f} MHz, {100 * timing.margin:.1f} % more than asked. "
        f"Computed from the chip database's delays of grade {timing.grade}, its slow corner; "
        f"assumed, as it has no number: {assumptions(timing.assumed)}. Wires without a number: "
        f"{left_out:,} hops. Hold, by the smallest numbers of that corner: "
        f"{timing.hold_slack_ns:.3f} ns to spare." + router
    )
    picture = element("div", chart, _table(timing.paths))
    return figure("slack", "How fast it could run", picture, caption)


def _range(slack: Slack, at: int) -> str:
    low = slack.first_ns + at * slack.step_ns
    return f"{low:g} to {low + slack.step_ns:g} ns"


def _table(paths: Sequence[KindPath]) -> Markup:
    heads = ("from", "to", "ns", "of it wires", "MHz", "first cell", "last cell", "source")
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    rows = [
        element(
            "tr",
            *(
                element("td", text)
                for text in (
                    path.start_kind,
                    path.end_kind,
                    f"{path.delay_ns:.2f}",
                    f"{path.wires_ns:.2f}",
                    f"{path.mhz:.1f}",
                    shortened(path.first_cell, 40),
                    shortened(path.last_cell, 40),
                    path.source,
                )
            ),
        )
        for path in paths
    ]
    table = element("table", element("thead", head), element("tbody", *rows))
    return element("div", table, class_="scroll", tabindex=0)
