# SPDX-License-Identifier: MIT
import json
import re
from pathlib import Path

import pytest

from glintfpga.host.report.clock import read_timing, slack_picture, timing_of
from glintfpga.host.report.fields import Fields
from glintfpga.quant.errors import InputError


@pytest.fixture
def folder(tmp_path, timing_json):
    def write(name="timing.json", where=None, **other):
        facts = timing_json(**other)
        (tmp_path / name).write_text(json.dumps({where: facts} if where else facts))
        return tmp_path

    return write


def test_either_file_and_the_step_s_own_first(folder, timing_json):
    assert timing_of(folder("report.json", "timing", limit_mhz=1.0))["limit_mhz"] == 1.0
    assert timing_of(folder()) == timing_json()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"skew_ns": None}, "skew_ns"),
        ({"margin": True}, "margin"),
        ({"slack": {"first_ns": 0, "step_ns": 1, "counts": [1, -1]}}, "counts"),
        ({"slack": {"first_ns": 0, "step_ns": 1, "counts": [0] * 5000}}, "counts"),
        ({"left_out": {"ISB": 0.5}}, "ISB"),
        ({"paths": [{}]}, "steps"),
    ],
)
def test_a_wrong_field_is_named(folder, other, field):
    with pytest.raises(InputError, match=field):
        timing_of(folder(**other))


def test_neither_file(tmp_path):
    with pytest.raises(InputError, match=r"no timing\.json"):
        timing_of(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        timing_of(tmp_path / "none")


def picture(timing_json, **other):
    return slack_picture(read_timing(Fields(Path("timing.json"), timing_json(**other))), 54.0)


def test_bars_of_the_slack(timing_json):
    shown = picture(timing_json)
    assert re.findall(r'height:([\d.]+)%"', shown) == ["28.57", "0.00", "100.00"]
    assert "9.5 to 10 ns: 7 inputs" in shown and "hdl/row/core.py:7" in shown


def test_empty_timing(timing_json):
    """No inputs, no paths, no router: no division by nothing."""
    empty = {"first_ns": 0.0, "step_ns": 0.5, "counts": []}
    shown = picture(timing_json, slack=empty, paths=[], router={})
    assert "each of 0 inputs" in shown and "The router says" not in shown


def test_names_are_text(timing_json):
    timing = timing_json()
    timing["paths"][0]["steps"][0]["cell"] = "<script>"
    assert "<script>" not in slack_picture(read_timing(Fields(Path("timing.json"), timing)), 54.0)
