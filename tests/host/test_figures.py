# SPDX-License-Identifier: MIT
import json
from pathlib import Path

from glintfpga.firmware.schedule import step_cycles, token_cycles
from glintfpga.host.figures import END, START, table
from glintfpga.quant.spec import PRESETS

ROOT = Path(__file__).parents[2]
FIGURES = json.loads((ROOT / "docs" / "figures.json").read_text())
SPEC = PRESETS["blink"]


def test_readme_shows_these_figures():
    shown = (ROOT / "README.md").read_text().split(START)[1].split(END)[0].strip()
    assert shown == table(FIGURES)


def test_cycles_are_still_those_of_the_gateware():
    lanes = FIGURES["build"]["lanes"]
    for position, cycles in FIGURES["cycles"].items():
        assert cycles == token_cycles(SPEC, lanes, int(position))
    assert FIGURES["steps"] == step_cycles(SPEC, lanes, 256)


def test_every_row_says_how_it_was_got():
    rows = table(FIGURES).splitlines()[2:]
    assert all(row.split("|")[3].strip() for row in rows)
