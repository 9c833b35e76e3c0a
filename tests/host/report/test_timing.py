# SPDX-License-Identifier: MIT
import re

import pytest

from glintfpga.boards.shipped import release_folder
from glintfpga.host.report.inputs import read_build
from glintfpga.host.report.timing import runs_of, timing_picture


def test_the_bar_is_the_path(new_build):
    path = read_build(new_build()).floorplan.path
    picture = timing_picture(path, 54.0)
    segments = re.findall(r'<i class="(\S+)" style="flex-grow:([\d.]+)"', picture)
    assert [(kind, float(ns)) for kind, ns in segments] == [
        ("flip-flop", 0.25),
        ("wires", 1.0),
        ("logic", 0.25),
    ]
    assert f"width:{100 * 1.5 * 54 / 1000:.2f}%" in picture
    assert "1.50 ns" in picture and "18.52 ns" in picture and "from register to memory" in picture
    assert "all 3 delays" in picture and "<td>a.wire</td>" in picture


def test_runs_group_cells_of_one_type(new_build):
    first, second = runs_of(read_build(new_build()).floorplan.path.steps)
    assert (first.type, first.cells, first.logic_ns, first.wires_ns) == ("DFFRE", 1, 0.25, 0)
    assert (second.type, second.cells, second.logic_ns, second.wires_ns) == ("LUT4", 1, 0.25, 1)


def test_runs_of_the_shipped_build_add_up():
    build = read_build(release_folder() / "tangnano20k")
    path = build.floorplan.path
    total = sum(run.logic_ns + run.wires_ns for run in runs_of(path.steps))
    assert total == pytest.approx(path.delay_ns, abs=0.01)
    assert 1e3 / path.delay_ns == pytest.approx(build.timing.limit_mhz, rel=1e-3)


@pytest.mark.quick
def test_a_path_longer_than_the_period_fills_the_bar(new_build):
    path = read_build(new_build()).floorplan.path
    assert "width:100.00%" in timing_picture(path, 5000.0)
