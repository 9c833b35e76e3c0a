# SPDX-License-Identifier: MIT
"""Draws docs/floorplan.svg, the chip of the shipped bitstream: ``python docs/floorplan.py``.

The picture of ``glintfpga report`` in one file without a style sheet, for pages that show images.
"""

from collections import Counter
from pathlib import Path

from glintfpga.boards.floorplan import FLOORPLAN
from glintfpga.boards.shipped import release_folder
from glintfpga.host.report.floorplan import label_places, tiles_by_block
from glintfpga.host.report.inputs import Floorplan, read_floorplan
from glintfpga.host.report.markup import Markup, element, formatted
from glintfpga.host.report.palette import color_of

__all__ = ["TARGET", "picture"]

TARGET = Path(__file__).resolve().with_suffix(".svg")
BOARD = "tangnano20k"

_MARGIN = 1.2
_INK, _SILICON, _SLOT, _EDGE = "#0c1019", "#121826", "#192133", "#34405a"


def picture(plan: Floorplan) -> Markup:
    """The chip with the names of its blocks."""
    drawn = tiles_by_block(plan)
    total = sum(cell[4] for cell in plan.cells)
    width, height = plan.columns + 2 * _MARGIN, plan.rows + 2 * _MARGIN
    return element(
        "svg",
        element("title", f"{total:,} cells of {len(plan.blocks)} blocks, as nextpnr placed them"),
        element("rect", x=-_MARGIN, y=-_MARGIN, width=width, height=height, rx=1.2, fill=_INK),
        element("rect", width=plan.columns, height=plan.rows, fill=_SILICON),
        *_slots(plan),
        *(_block(plan, block, drawn[block]) for block in _largest_first(plan)),
        *_names(plan),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=" ".join(map(formatted, (-_MARGIN, -_MARGIN, width, height))),
        width=round(14 * width),
        height=round(14 * height),
    )


def _largest_first(plan: Floorplan) -> list[int]:
    cells = Counter[int]()
    for _, _, _, block, count in plan.cells:
        cells[block] += count
    return [block for block, _ in cells.most_common()]


def _slots(plan: Floorplan) -> list[Markup]:
    look = {"fill": _SLOT, "stroke": _EDGE, "stroke_width": 0.06, "height": 0.96}
    return [
        element("rect", x=slot.x + 0.02, y=slot.y + 0.02, width=slot.width - 0.04, **look)
        for slot in plan.slots
    ]


def _block(plan: Floorplan, block: int, rectangles: list[tuple[float, ...]]) -> Markup:
    path = "".join(
        f"M{formatted(x)} {formatted(y)}h{formatted(w)}v{formatted(h)}h-{formatted(w)}z"
        for x, y, w, h in rectangles
    )
    return element("path", d=path, fill=color_of(plan.blocks[block]))


def _names(plan: Floorplan) -> list[Markup]:
    look = {
        "font_family": "sans-serif",
        "font_weight": 600,
        "font_size": 1.5,
        "text_anchor": "middle",
        "fill": "#fff",
        "stroke": _INK,
        "stroke_width": 0.5,
        "stroke_linejoin": "round",
        "paint_order": "stroke",
    }
    return [
        element("text", plan.blocks[block], x=x, y=y, **look)
        for block, (x, y) in label_places(plan).items()
    ]


def main() -> None:
    plan = read_floorplan(release_folder() / BOARD / FLOORPLAN)
    TARGET.write_text(f"{picture(plan)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
