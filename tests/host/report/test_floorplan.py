# SPDX-License-Identifier: MIT
import re
from dataclasses import replace

import pytest

from glintfpga.boards.shipped import release_folder
from glintfpga.host.report.floorplan import floorplan_picture, label_places, tiles_by_block
from glintfpga.host.report.inputs import read_build, read_floorplan


def shapes(picture):
    """Rectangles drawn of each block, by its index."""
    paths = re.findall(r'<path d="([^"]*)" id="block(\d+)"', picture)
    return {int(block): path.count("M") for path, block in paths}


def test_every_tile_is_drawn_once(new_build):
    plan = read_build(new_build()).floorplan
    # Of (3, 3) norm has most; block RAMs and multipliers are rectangles of their own.
    assert shapes(floorplan_picture(plan)) == {0: 1 + 2, 1: 1 + 1, 2: 2 + 1}


def test_the_shipped_chip_is_drawn_whole():
    plan = read_floorplan(release_folder() / "tangnano20k" / "floorplan.json")
    special = {"BSRAM", "MULT18X18", "MULT9X9"}
    kinds = [plan.kinds[kind] for _, _, kind, _, _ in plan.cells]
    logic = {cell[:2] for cell, kind in zip(plan.cells, kinds) if kind not in special}
    others = sum(cell[4] for cell, kind in zip(plan.cells, kinds) if kind in special)
    picture = floorplan_picture(plan)
    assert sum(shapes(picture).values()) == len(logic) + others
    assert picture.count('class="slot"') == len(plan.slots) == 46 + 12
    for block in plan.blocks:
        assert f"<title>{block}: " in picture and f">{block}</b>" in picture


@pytest.mark.quick
def test_fuller_tiles_are_larger(new_build):
    tiles = tiles_by_block(read_build(new_build()).floorplan)
    *_, (x, y, side, height) = tiles[1]
    assert side == height and (x + side / 2, y + side / 2) == (3.5, 3.5)
    sides = {w for _, _, w, _ in tiles[2] if w < 1}
    assert len(sides) == 2 and max(sides) < side < 1


def test_multipliers_of_a_macro_lie_side_by_side(new_build):
    plan = read_build(new_build()).floorplan
    lane, norm = tiles_by_block(plan)[0], tiles_by_block(plan)[1]
    found = sorted([r for r in lane if r[1] > 18] + [r for r in norm if r[1] > 18])
    lefts = [x for x, *_ in found]
    assert [round(b - a, 9) for a, b in zip(lefts, lefts[1:])] == [2.25, 2.25]
    assert all(1 < x and x + w < 10 for x, _, w, _ in found)


def test_path_is_drawn_from_start_to_end(new_build):
    plan = read_build(new_build()).floorplan
    picture = floorplan_picture(plan)
    assert picture.count('points="3.5,3.5 20.5,30.5"') == 2
    assert "slowest path, 1.50 ns" in picture
    assert "polyline" not in floorplan_picture(replace(plan, path=None))


def test_names_keep_apart():
    plan = read_floorplan(release_folder() / "tangnano20k" / "floorplan.json")
    places = list(label_places(plan).values())
    assert len(places) > 12
    for index, (x, y) in enumerate(places):
        assert 4 <= x <= plan.columns - 4 and 2 <= y <= plan.rows - 1
        assert all(abs(x - u) > 6 or abs(y - v) > 2.4 for u, v in places[:index])


def test_empty_chip(new_build):
    nothing = {"cells": [], "blocks": [], "kinds": [], "path": None, "slots": {}}
    plan = read_build(new_build(floorplan=nothing)).floorplan
    assert "<svg" in floorplan_picture(plan)
