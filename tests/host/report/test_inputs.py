# SPDX-License-Identifier: MIT
import json

import pytest

from glintfpga.host.report.inputs import read_build
from glintfpga.quant.errors import InputError


def test_a_build(new_build):
    build = read_build(new_build())
    assert build.manifest.model == "blink-base"
    assert build.timing.limit_mhz == 100.5 and build.timing.router_mhz == 110.0
    assert build.timing.slack.counts == (2, 0, 7)
    (path,) = build.timing.paths
    assert (path.first_cell, path.last_cell, path.source) == (
        "a.b_DFF_Q",
        "a.c_LUT4_F",
        "hdl/row/core.py:7",
    )
    assert sum(build.cycles.values()) == 310 and "token 1" not in build.cycles
    assert build.spec.param_count == 1087
    assert len(build.floorplan.cells) == 8
    assert [step.net for step in build.floorplan.path.steps] == [None, "a.wire", None]


def test_a_device_without_a_model(new_build):
    manifest = {"model": None, "image_sha256": None, "spec": None}
    build = read_build(new_build(manifest=manifest, report={"cycles": None}))
    assert build.spec is None and not build.cycles


@pytest.mark.quick
@pytest.mark.parametrize(
    "file, field, value, message",
    [
        ("manifest", "lanes", 3, "'lanes' must be one of (2, 4, 8), not 3"),
        ("manifest", "clock_mhz", "54", "'clock_mhz'"),
        (
            "manifest",
            "spec",
            {"loops": 99},
            "'spec': the model's number of passes of 99 exceeds",
        ),
        ("manifest", "spec", 7, "'spec': a model spec must be a JSON object"),
        ("manifest", "tools", {"yosys": 1}, "'tools.yosys' must be a text"),
        ("report", "timing", {"assumed": {}}, "lacks 'timing.left_out'"),
        ("report", "timing", {"assumed": 3}, "'timing.assumed' must be a JSON object"),
        ("report", "utilization", {"LUT4": {"used": -1}}, "'utilization.LUT4.used' must be"),
        ("report", "cycles", {"embed": 1.5}, "'cycles.embed' must be a whole number"),
        ("report", "warnings", [1], "'warnings[0]' must be a text"),
        ("floorplan", "columns", 10_000, "'columns' must be a whole number from 0 to 512"),
        ("floorplan", "cells", [[3, 3, 0, 3, 1]], "'cells[0]' must be whole numbers below 56, 55"),
        ("floorplan", "slots", {"DSP": {"width": 9, "at": [[56, 0]]}}, "'slots.DSP.at[0]' must be"),
        ("floorplan", "blocks", ["x"] * 65, "more than 64 names"),
        ("floorplan", "path", {"delay_ns": 1, "steps": [{"kind": 3}]}, "'path.steps[0].kind'"),
    ],
)
def test_wrong_fields(new_build, file, field, value, message):
    folder = new_build(**{file: {field: value}})
    with pytest.raises(InputError) as caught:
        read_build(folder)
    text = str(caught.value)
    assert message in text and f"{file}.json" in text and "\n" not in text


@pytest.mark.parametrize("name", ["report.json", "manifest.json", "floorplan.json"])
def test_missing_and_truncated_files(new_build, name):
    folder = new_build()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=name):
        read_build(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        read_build(folder)
    (folder / name).write_text(json.dumps([1, 2]))
    with pytest.raises(InputError, match=name):
        read_build(folder)
