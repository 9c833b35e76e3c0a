# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.report import count_lut_slots, summary

ROUTED = {
    "utilization": {
        "LUT4": {"used": 1000, "available": 20736},
        "BSRAM": {"used": 0, "available": 46},
        "DHCEN": {"used": 0, "available": 24},
        "TBUF": {"used": 7, "available": 0},
    },
}


@pytest.fixture
def report(timing_json):
    return lambda **kwargs: make(timing=timing_json(), **kwargs)


def make(**kwargs):
    arguments = {
        "routed": ROUTED,
        "untimed_pins": {"MULT18X18": 3},
        "luts": {"widened": 7, "through": 3},
        "cells": {"LUT4": 900},
        "memories": {"top.m": {"depth": 16, "width": 4, "cells": ["m.0.0"]}},
        "carry_heads": 2,
        "lut_slots": {"logic": 950, "route_through": 40},
        "steps": [{"name": "synth", "seconds": 12.5, "cached": True}],
        "cycles": {"token": 460},
        "warnings": ["multipliers not timed"],
    }
    return summary(**(arguments | kwargs))


def test_summary(report, timing_json):
    found = report()
    assert found["timing"] == timing_json() and found["luts_widened"] == 7
    assert set(found["utilization"]) == {"LUT4", "BSRAM", "TBUF"}
    assert found["carry_heads_repaired"] == 2


@pytest.mark.quick
def test_lut_slots_count_alus_but_no_route_through():
    cells = {
        "a": {"type": "LUT4"},
        "b": {"type": "LUT1"},
        "c": {"type": "ALU"},
        "d_passthrough_lut$": {"type": "LUT1"},
        "e": {"type": "DFF"},
    }
    assert count_lut_slots(cells) == {"logic": 3, "route_through": 1}
