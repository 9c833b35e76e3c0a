# SPDX-License-Identifier: MIT
import math
import re

import pytest

from glintfpga.host.report.ranges import ranges_picture
from glintfpga.quant.blink.quantize_report import QuantizeReport, TensorRow


def row(tensor, index, largest, form, saturated=0, snr=None):
    return TensorRow(
        tensor=tensor, index=index, largest=largest, format=form,
        saturated=saturated, count=100, snr_db=snr,
    )  # fmt: skip


ROWS = (
    row("wq", 0, 10.0, "s12.7", snr=69.9),
    row("wq", 1, 5.0, "s12.8", snr=64.1),
    row("embedding in", -1, 15.5, "s16.10", snr=86.9),
    row("z", 0, 10.0, "s12.8", saturated=19),
    row("z", 1, 0.0, "s12.8"),
    row("q", 0, 1e9, "s12.-30"),
)


@pytest.fixture(scope="module")
def picture():
    report = QuantizeReport(
        plan=12,
        rope="7/44",
        balance=(0, 0),
        logit_snr_db=29.2,
        lanes=4,
        peak_tensor="embedding",
        peak_ratio=4.0,
        rows=ROWS,
    )
    return ranges_picture(report)


def tensor(picture, name):
    return re.search(rf'<svg [^>]*aria-label="{name}: .*?</svg>', picture)[0]


def test_every_tensor_and_pass_has_its_line(picture):
    assert picture.count("<svg ") == 4
    assert len(re.findall(r"<title>.*?</title>", picture)) == len(ROWS)
    assert picture.index("embedding in") < picture.index("values,") < picture.index("<b>q</b>")
    assert picture.index("<b>q</b>") < picture.index("<b>z</b>")


def test_a_line_spans_the_format_and_the_dot_is_the_largest(picture):
    drawn = tensor(picture, "wq")
    spans = re.findall(r'd="M(\S+) \S+H(\S+)"', drawn)
    assert [(float(a), float(b)) for a, b in spans] == [(-7, 4), (-8, 3)]
    dots = re.findall(r'd="M(\S+) \S+h0" class="dot"', drawn)
    assert [float(x) for x in dots] == pytest.approx([math.log2(10), math.log2(5)], abs=1e-3)


def test_saturation_is_marked_and_counted(picture):
    drawn = tensor(picture, "z")
    assert drawn.count('class="dot hit"') == 1 and drawn.count("h0") == 1
    assert '<span class="hit">19 / 200</span>' in picture
    assert "(19 of 600)" in picture


def test_noise_and_formats(picture):
    assert "s12.7 to s12.8" in picture and "64 to 70 dB" in picture and "87 dB" in picture
    assert "29.2 dB" in picture


@pytest.mark.quick
def test_values_beyond_the_axis_stay_on_it(picture):
    xs = [float(x) for x in re.findall(r'd="M(\S+) ', tensor(picture, "q"))]
    assert max(xs) <= 18 and min(xs) >= -14
