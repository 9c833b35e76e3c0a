# SPDX-License-Identifier: MIT
"""Bar charts: use of the chip, and cycles per token by step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glintfpga.boards.floorplan import ROUTE_THROUGH
from glintfpga.host.report.inputs import Build, Floorplan
from glintfpga.host.report.markup import Markup, element, figure, join
from glintfpga.host.report.palette import STEPS, color_of

__all__ = ["CycleBar", "cycles_picture", "utilization_picture"]

_RESOURCES = (
    # name in report.json, what it is, kinds of the floorplan that it counts
    ("LUT4", "logic: LUT4 and carry cells", ("LUT", "ALU")),
    ("ALU", "of these, carry cells", ("ALU",)),
    ("DFF", "flip-flops", ("DFF",)),
    ("BSRAM", "block RAMs of 18 Kbit", ("BSRAM",)),
    ("MULT18X18", "multipliers 18 x 18", ("MULT18X18",)),
    ("MULT9X9", "multipliers 9 x 9", ("MULT9X9",)),
    ("RAM16SDP4", "LUT RAMs of 16 x 4 bits", ("RAM16",)),
)
_WIDE_ENOUGH = 0.06
"""Share of the bar below which a number would not fit into its segment."""


@dataclass(frozen=True)
class CycleBar:
    """Cycles of one token by step."""

    title: str
    how: str
    steps: Mapping[str, int]

    @property
    def total(self) -> int:
        """Cycles of the token."""
        return sum(self.steps.values())


def utilization_picture(build: Build) -> Markup:
    """A bar per resource: how much of it is used, and by which blocks."""
    rows = []
    for name, what, kinds in _RESOURCES:
        use = build.utilization.get(name)
        if use is None or not use.available or (name == "MULT9X9" and not use.used):
            continue
        share = use.used / use.available
        segments = [
            _segment(color_of(block), count, f"{block}: {count:,}")
            for block, count in _by_block(build.floorplan, kinds)
        ]
        rows.append(
            _row(
                join(element("b", name), " ", element("span", what)),
                f"{use.used:,} of {use.available:,} ({100 * share:.1f} %)",
                segments,
                min(1.0, share),
                f"{name}: {use.used} of {use.available} used, {100 * share:.1f} percent",
            )
        )
    caption = (
        "Share of the chip that the design takes, by block, in the colors of the floorplan. "
        f"Counted by nextpnr; {build.route_through:,} LUTs that it only uses as wires "
        f"({ROUTE_THROUGH}) are not in it."
    )
    picture = element("div", *rows, class_="bars uses")
    return figure("utilization", "Use of the chip", picture, caption)


def cycles_picture(bars: Sequence[CycleBar], clock_mhz: float) -> Markup:
    """A bar for each window, all to the same scale."""
    longest = max((bar.total for bar in bars), default=0) or 1
    rows = []
    for bar in bars:
        total = bar.total
        segments = [
            _segment(
                STEPS.get(step, color_of(step)),
                count,
                f"{step}: {count} cycles",
                str(count) if count / longest > _WIDE_ENOUGH else "",
            )
            for step, count in bar.steps.items()
            if count
        ]
        rate = f", {clock_mhz * 1e6 / total:,.0f} tokens/s" if total else ""
        rows.append(
            _row(
                join(element("b", bar.title), " ", element("span", bar.how)),
                f"{total:,} cycles{rate}",
                segments,
                total / longest,
                f"{bar.title}: {total} cycles: "
                + ", ".join(f"{step} {count}" for step, count in bar.steps.items()),
            )
        )
    steps = list(dict.fromkeys(step for bar in bars for step in bar.steps))
    legend = element(
        "div",
        *(
            element("span", element("i", style=f"background:{STEPS.get(s, color_of(s))}"), s)
            for s in steps
        ),
        class_="legend",
    )
    caption = (
        "Clock cycles from one token to the next, logits, sampling and CRC included, with the "
        "window full. From the schedule that the sequencer plays; tests compare it with the "
        f"simulated gateware. Tokens per second are computed: {clock_mhz:g} MHz / cycles."
    )
    picture = element("div", legend, *rows, class_="bars cycles")
    return figure("cycles", "Where the cycles go", picture, caption)


def _by_block(plan: Floorplan, kinds: Sequence[str]) -> list[tuple[str, int]]:
    counts = Counter[str]()
    for _, _, kind, block, count in plan.cells:
        if plan.kinds[kind] in kinds:
            counts[plan.blocks[block]] += count
    return sorted(counts.items(), key=lambda item: -item[1])


def _segment(color: str, weight: int, title: str, text: str = "") -> Markup:
    return element("i", text, style=f"background:{color};flex-grow:{weight}", title=title)


def _row(name: str, figures: str, segments: Sequence[str], share: float, label: str) -> Markup:
    fill = element("div", *segments, class_="fill", style=f"width:{100 * share:.2f}%")
    return element(
        "div",
        element("div", name, class_="what"),
        element("div", figures, class_="number"),
        element("div", fill, class_="track", role="img", aria_label=label),
        class_="bar",
    )
