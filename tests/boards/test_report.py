# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.report import check_timing, count_lut_slots, summary, text
from glintfpga.quant.errors import InputError

ROUTED = {
    "fmax": {"clk": {"achieved": 80.994, "constraint": 54.0}},
    "utilization": {
        "LUT4": {"used": 1000, "available": 20736},
        "BSRAM": {"used": 0, "available": 46},
        "DHCEN": {"used": 0, "available": 24},
        "TBUF": {"used": 7, "available": 0},
    },
    "critical_paths": [
        {
            "from": "posedge clk",
            "to": "posedge clk",
            "path": [
                {"type": "clk-to-q", "delay": 0.231, "from": {"cell": "a"}, "to": {"cell": "a"}},
                {
                    "type": "routing",
                    "delay": 0.5,
                    "net": "n",
                    "from": {"cell": "a"},
                    "to": {"cell": "b"},
                },
                {"type": "setup", "delay": 0.035, "from": {"cell": "b"}, "to": {"cell": "b"}},
            ],
        },
        {"from": "async", "to": "async", "path": []},
    ],
}


def report(**kwargs):
    arguments = {
        "routed": ROUTED,
        "cells": {"LUT4": 900},
        "memories": {"top.m": {"depth": 16, "width": 4, "cells": ["m.0.0"]}},
        "carry_heads": 2,
        "lut_slots": {"logic": 950, "route_through": 40},
        "steps": [{"name": "synth", "seconds": 12.5, "cached": True}],
        "cycles": {"token": 460},
        "warnings": ["multipliers not timed"],
    }
    return summary(**(arguments | kwargs))


def test_summary():
    found = report()
    assert found["fmax"] == {"clk": {"achieved_mhz": 80.99, "constraint_mhz": 54.0}}
    assert set(found["utilization"]) == {"LUT4", "BSRAM", "TBUF"}
    assert found["critical_paths"] == [
        {
            "from_clock": "posedge clk",
            "to_clock": "posedge clk",
            "from": "a",
            "to": "b",
            "delay_ns": 0.766,
            "routing_ns": 0.5,
            "nets": ["n"],
        }
    ]
    assert found["carry_heads_repaired"] == 2


def test_text():
    found = text(report())
    assert "LUT4                      950 of  20736    4.6 %" in found
    assert "clock clk                81.0 MHz reached, 54 MHz asked" in found
    assert "slowest path 0.77 ns (0.50 ns of it routing)" in found
    assert "token                     460 cycles" in found
    assert "synth                    12.5 s (cached)" in found
    assert found.endswith("warning: multipliers not timed\n")
    assert max(map(len, found.splitlines())) <= 80
    assert "cycles" not in text(report(cycles=None))


def test_timing():
    check_timing(ROUTED)
    slow = ROUTED | {"fmax": {"clk": {"achieved": 80.99, "constraint": 81.0}}}
    with pytest.raises(InputError, match=r"^clock 'clk' reaches 80\.99 MHz, 81 MHz were asked"):
        check_timing(slow)


def test_rounded_constraint_is_met():
    # The router gives the constraint as the period it rounded to picoseconds.
    check_timing(ROUTED | {"fmax": {"clk": {"achieved": 81.0, "constraint": 81.0004}}})


def test_lut_slots_count_alus_but_no_route_through():
    cells = {
        "a": {"type": "LUT4"},
        "b": {"type": "LUT1"},
        "c": {"type": "ALU"},
        "d_passthrough_lut$": {"type": "LUT1"},
        "e": {"type": "DFF"},
    }
    assert count_lut_slots(cells) == {"logic": 3, "route_through": 1}
