# SPDX-License-Identifier: MIT
"""The three files of a build with anything in them: refused by name, or drawn."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glintfpga.host.report.inputs import read_build
from glintfpga.host.report.page import page
from glintfpga.host.report.subject import Subject
from support.damage import attempt, damaged, damaged_json

NAMES = ("manifest.json", "report.json", "floorplan.json")
NOBODY = Subject(model=None, quantized=None, missing="not at hand")


@pytest.mark.quick
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_damaged(new_build, name, rng):
    folder = new_build()
    good = (folder / name).read_bytes()
    data = damaged_json(rng, json.loads(good)) if rng.random() < 0.8 else damaged(rng, good)
    (folder / name).write_bytes(data)
    build = attempt(lambda: read_build(folder), what="build", size=len(data))
    if build is not None:
        drawn = attempt(lambda: page(build, NOBODY, [65, 66]), what="page", size=len(data))
        assert drawn is not None and drawn.encode("utf-8")
