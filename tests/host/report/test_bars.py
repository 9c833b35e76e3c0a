# SPDX-License-Identifier: MIT
import re
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.schedule import token_cycles
from glintfpga.host.report.bars import cycles_picture, utilization_picture
from glintfpga.host.report.inputs import read_build
from glintfpga.host.report.page import cycle_bars


def rows(picture):
    """Of each bar: its width in percent, and the shares of its segments by title."""
    found = []
    for text in picture.split('class="bar"')[1:]:
        width = float(re.search(r"width:([\d.]+)%", text)[1])
        segments = re.findall(r'flex-grow:(\d+)" title="([^"]*)"', text)
        found.append((width, {title: int(count) for count, title in segments}))
    return found


def test_utilization(new_build):
    picture = utilization_picture(read_build(new_build()))
    (lut, parts), (_, alu), (_, dff), (ram, _), (dsp, macros) = rows(picture)
    assert lut == pytest.approx(100 * 12 / 20736, abs=0.01)
    assert parts == {"norm: 6": 6, "lane 0: 4": 4, "sampler: 2": 2}
    assert alu == {"lane 0: 4": 4} and dff == {"sampler: 3": 3}
    assert ram == pytest.approx(100 * 2 / 46, abs=0.01)
    assert dsp == pytest.approx(100 * 3 / 48, abs=0.01) and sum(macros.values()) == 3
    assert "5 LUTs" in picture


@pytest.mark.quick
def test_more_used_than_there_is_stays_in_the_bar(new_build):
    crowded = {"LUT4": {"used": 9, "available": 3}, "DFF": {"used": 1, "available": 0}}
    picture = utilization_picture(read_build(new_build(report={"utilization": crowded})))
    assert [width for width, _ in rows(picture)] == [100]


def test_cycles_of_both_windows_sum_to_the_total(new_build):
    build = read_build(new_build())
    short, long = bars = cycle_bars(build)
    assert short.total == token_cycles(build.spec, 4, 8) == 310
    assert long.total == 806
    picture = cycles_picture(bars, 54.0)
    (narrow, a), (wide, b) = rows(picture)
    assert (sum(a.values()), sum(b.values())) == (310, 806)
    assert wide == 100 and narrow == pytest.approx(100 * 310 / 806, abs=0.01)
    assert "310 cycles, 174,194 tokens/s" in picture and "66,998 tokens/s" in picture


def test_one_bar_for_the_longest_window(new_build):
    build = read_build(new_build())
    spec = replace(build.spec, window=256)
    assert [bar.title for bar in cycle_bars(replace(build, spec=spec))] == ["window 256"]
    assert cycle_bars(replace(build, spec=None)) == []
