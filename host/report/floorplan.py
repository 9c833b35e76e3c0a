# SPDX-License-Identifier: MIT
"""Picture of the chip: a square for every tile in use, larger the fuller, colored by block."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from glintfpga.host.report.inputs import Floorplan, SlowPath
from glintfpga.host.report.markup import Markup, element, figure, formatted, join
from glintfpga.host.report.palette import color_of

__all__ = ["floorplan_picture", "label_places", "tiles_by_block"]

_FULL_TILE = 14
"""Cells of a full logic tile: eight LUT4 or ALU, six flip-flops."""
_SMALLEST, _LARGEST = 0.34, 0.94
_DSP_SHARE = {"MULT18X18": 2, "MULT9X9": 1}
_DSP_PARTS = 8  # a pair of macros holds eight MULT9X9, or four MULT18X18
_MARGIN = 3.8  # tiles beside the chip, for the names of rows
_LABEL = (6.0, 2.4)  # width and height that a name takes, in tiles
_LARGE_LABEL = (10.0, 3.2)  # the same on narrow pages, where letters are larger in tiles

Rectangle = tuple[float, float, float, float]
"""x, y, width, height in tiles."""


def tiles_by_block(plan: Floorplan) -> dict[int, list[Rectangle]]:
    """Rectangles to draw for each block, by its index.

    A logic tile is one square, of the block with most cells in it; a block RAM and each multiplier
    is a rectangle of its own.
    """
    logic: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    widths = {(slot.x, slot.y): slot.width for slot in plan.slots}
    taken: Counter[tuple[int, int]] = Counter()
    result: dict[int, list[Rectangle]] = defaultdict(list)
    for x, y, kind, block, count in plan.cells:
        name = plan.kinds[kind]
        width = widths.get((x, y), 1)
        if name == "BSRAM":
            result[block].append((x + 0.08, y + 0.08, width - 0.16, 0.84))
        elif name in _DSP_SHARE:
            part = width * _DSP_SHARE[name] / _DSP_PARTS
            for _ in range(min(count, _DSP_PARTS)):
                left = x + width * taken[x, y] / _DSP_PARTS
                taken[x, y] += _DSP_SHARE[name]
                result[block].append((left + 0.08, y + 0.08, part - 0.16, 0.84))
        else:
            logic[x, y][block] += count
    for (x, y), counts in logic.items():
        fill = min(1.0, counts.total() / _FULL_TILE)
        side = _SMALLEST + (_LARGEST - _SMALLEST) * fill**0.5
        block = min(counts, key=lambda index: (-counts[index], index))
        result[block].append((x + (1 - side) / 2, y + (1 - side) / 2, side, side))
    return result


def label_places(plan: Floorplan) -> dict[int, tuple[float, float]]:
    """Where to write the name of each block: in its densest spot that is free.

    Names of larger blocks and the slowest path take their spots first; a block without a free
    spot has no place.
    """
    density = np.zeros((len(plan.blocks), plan.rows, plan.columns))
    for x, y, _, block, count in plan.cells:
        density[block, y, x] += count
    taken = _along(_points(plan.path))
    places: dict[int, tuple[float, float]] = {}
    for block in np.argsort(-density.sum(axis=(1, 2)), kind="stable").tolist():
        around = _box_sum(density[block], 3)
        for flat in np.argsort(-around, axis=None, kind="stable")[:400].tolist():
            y, x = divmod(flat, plan.columns)
            if around[y, x] <= 0:
                break
            at = (_within(x + 0.5, 6, plan.columns - 6), _within(y + 0.5, 2, plan.rows - 1))
            if _is_free(at, taken, _LABEL):
                places[block] = at
                taken.append(at)
                break
    return places


def floorplan_picture(plan: Floorplan) -> Markup:
    """The chip with its key."""
    drawn = tiles_by_block(plan)
    cells = Counter[int]()
    for _, _, _, block, count in plan.cells:
        cells[block] += count
    order = [block for block, _ in cells.most_common()]
    die = element(
        "svg",
        element("defs", element("g", *(_shape(b, drawn[b]) for b in order), id="tiles")),
        element("rect", width=plan.columns, height=plan.rows, class_="silicon"),
        *_slots(plan),
        element("g", *(_layer(plan, b, cells[b]) for b in order), class_="blocks"),
        *([_path(plan.path)] if plan.path else []),
        element("g", *_names(plan), class_="names"),
        element("g", *_row_names(plan), class_="rows"),
        viewBox=f"0 0 {plan.columns + _MARGIN} {plan.rows}",
        role="img",
        class_="die",
        aria_label="Floorplan: " + ", ".join(f"{plan.blocks[b]} {cells[b]} cells" for b in order),
    )
    key = element("div", *(_key(plan, b, cells[b]) for b in order), class_="key")
    total = sum(cells.values())
    slots = Counter(slot.kind for slot in plan.slots)
    caption = (
        f"{total:,} placed cells on {plan.columns} x {plan.rows} tiles, as nextpnr put them. A "
        "square is a logic tile, larger the fuller, in the color of the block that has most of it. "
        f"The long outlines are {slots['BSRAM']} block RAMs (three rows of the chip) and "
        f"{slots['DSP']} pairs of DSP macros (two rows), filled where used. The white line is the "
        "slowest path. Logic at the border of two blocks may carry the other one's name."
    )
    style = element("style", _highlights(order))
    return figure("floorplan", "The chip", element("div", style, die, key, class_="plan"), caption)


def _box(plan: Floorplan) -> str:
    return f"0 0 {plan.columns} {plan.rows}"


def _shape(block: int, rectangles: Iterable[Rectangle]) -> Markup:
    path = "".join(
        f"M{formatted(x)} {formatted(y)}h{formatted(w)}v{formatted(h)}h-{formatted(w)}z"
        for x, y, w, h in rectangles
    )
    return element("path", d=path, id=f"block{block}")


def _layer(plan: Floorplan, block: int, cells: int) -> Markup:
    return element(
        "use",
        element("title", f"{plan.blocks[block]}: {cells:,} cells"),
        href=f"#block{block}",
        fill=color_of(plan.blocks[block]),
        class_=f"layer{block}",
    )


def _slots(plan: Floorplan) -> list[Markup]:
    return [
        element(
            "rect",
            x=slot.x + 0.02,
            y=slot.y + 0.02,
            width=slot.width - 0.04,
            height=0.96,
            class_="slot",
        )
        for slot in plan.slots
    ]


def _points(path: SlowPath | None) -> list[tuple[float, float]]:
    """Middles of the tiles that the path runs through, in order."""
    points: list[tuple[float, float]] = []
    for step in path.steps if path else ():
        point = (step.x + 0.5, step.y + 0.5)
        if not points or points[-1] != point:
            points.append(point)
    return points


def _along(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same with points between, so that nothing is written across the line."""
    result = points[:1]
    for (x, y), (u, v) in pairwise(points):
        count = math.ceil(max(abs(u - x), abs(v - y)))
        result += [(x + (u - x) * i / count, y + (v - y) * i / count) for i in range(1, count + 1)]
    return result


def _row_names(plan: Floorplan) -> list[Markup]:
    kinds = {slot.y: "RAM" if slot.kind == "BSRAM" else slot.kind for slot in plan.slots}
    return [element("text", kind, x=plan.columns + _MARGIN, y=y + 1) for y, kind in kinds.items()]


def _path(path: SlowPath) -> Markup:
    points = _points(path)
    line = " ".join(f"{formatted(x)},{formatted(y)}" for x, y in points)
    parts = [element("polyline", points=line, class_=name) for name in ("halo", "line")]
    if points:
        (x, y), (u, v) = points[0], points[-1]
        parts.append(element("circle", cx=x, cy=y, r=0.55, class_="start"))
        parts.append(element("rect", x=u - 0.5, y=v - 0.5, width=1, height=1, class_="end"))
    title = element("title", f"slowest path, {path.delay_ns:.2f} ns")
    return element("g", title, *parts, class_="path")


def _names(plan: Floorplan) -> list[Markup]:
    """Names of the blocks; a narrow page leaves out those that would run into others."""
    names: list[Markup] = []
    kept: list[tuple[float, float]] = []
    for block, at in label_places(plan).items():
        free = _is_free(at, kept, _LARGE_LABEL)
        if free:
            kept.append(at)
        kind = None if free else "minor"
        names.append(element("text", plan.blocks[block], x=at[0], y=at[1], class_=kind))
    return names


def _is_free(
    at: tuple[float, float], taken: Iterable[tuple[float, float]], size: tuple[float, float]
) -> bool:
    return all(abs(at[0] - x) > size[0] or abs(at[1] - y) > size[1] for x, y in taken)


def _key(plan: Floorplan, block: int, cells: int) -> Markup:
    """The block alone on the chip, with its name and size."""
    color = color_of(plan.blocks[block])
    small = element(
        "svg",
        element("rect", width=plan.columns, height=plan.rows, class_="silicon"),
        element("use", href="#tiles", class_="ghost"),
        element("use", href=f"#block{block}", fill=color),
        viewBox=_box(plan),
        aria_hidden="true",
    )
    words = join(
        element("b", plan.blocks[block], style=f"border-color:{color}"),
        element("span", f"{cells:,} cells"),
    )
    return element("div", small, words, class_=f"entry entry{block}", tabindex=0)


def _highlights(blocks: Iterable[int]) -> Markup:
    """An entry of the key that is pointed at dims all other blocks."""
    return Markup(
        "".join(
            f".plan:has(.entry{b}:is(:hover,:focus)) .blocks use:not(.layer{b}){{opacity:.1}}"
            for b in blocks
        )
    )


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))


def _box_sum(field: np.ndarray, radius: int) -> np.ndarray:
    """Sum over the square of ``2 radius + 1`` tiles around each tile."""
    padded = np.pad(field, ((radius + 1, radius), (radius + 1, radius))).cumsum(0).cumsum(1)
    size = 2 * radius + 1
    low, high = padded[:-size], padded[size:]
    return high[:, size:] - low[:, size:] - high[:, :-size] + low[:, :-size]
