# SPDX-License-Identifier: MIT
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.blink.schedule import step_cycles, token_cycles
from glintfpga.quant.blink.spec import PRESETS
from support.damage import attempt, damaged_json
from support.scripts import load_script

ROOT = Path(__file__).parents[2]
figures = load_script("figures")
FIGURES = json.loads((ROOT / "docs" / "figures.json").read_text())
SPEC = PRESETS["blink"]


@pytest.mark.quick
def test_readme_shows_these_figures():
    shown = (ROOT / "README.md").read_text().split(figures.START)[1].split(figures.END)[0].strip()
    assert shown == figures.table(FIGURES)


def test_cycles_are_still_those_of_the_gateware():
    lanes = FIGURES["build"]["lanes"]
    for position, cycles in FIGURES["cycles"].items():
        assert cycles == token_cycles(SPEC, lanes, int(position))
    assert FIGURES["steps"] == step_cycles(SPEC, lanes, 256)


def test_speeds_of_peers_are_their_clocks_over_cycles_counted_here():
    shown, how = figures.table(FIGURES), "computed: clock / simulated cycles; quoted"
    assert f"57,875 tokens/s | {how}: its README 60.6 k |" in shown
    assert f"60,686 tokens/s | {how}: its board 53 k |" in shown


def test_a_part_of_a_set_is_called_one():
    shown = figures.table(FIGURES)
    assert "wikitext2-test (50% of the set)" in shown
    assert "wikitext2-valid, float" in shown


def test_every_row_says_how_it_was_got():
    rows = figures.table(FIGURES).splitlines()[2:]
    assert all(row.split("|")[3].strip() for row in rows)


class TestBuilt:
    REPORT = {
        "timing": {
            "limit_mhz": 100.5,
            "router": {"limit_mhz": 110.0},
            "assumed": {"multiplier": 4.5},
        },
        "utilization": dict.fromkeys(("LUT4", "BSRAM", "MULT18X18"), {"used": 1, "available": 2}),
    }
    MANIFEST = {"board": "b", "lanes": 4, "plan": 12, "clock_mhz": 54.0, "seed": 1}

    def write(self, folder, report, manifest):
        (folder / "report.json").write_bytes(report)
        (folder / "manifest.json").write_bytes(manifest)
        return folder

    def test_facts_of_a_build(self, tmp_path):
        texts = (json.dumps(part).encode() for part in (self.REPORT, self.MANIFEST))
        facts = figures.built(self.write(tmp_path, *texts))
        assert facts["build"] == self.MANIFEST
        assert (facts["limit_mhz"], facts["lut4"]) == (100.5, {"used": 1, "available": 2})

    @given(st.randoms(use_true_random=False))
    def test_damaged(self, tmp_path_factory, rng):
        folder = tmp_path_factory.getbasetemp()
        texts = [damaged_json(rng, part) for part in (self.REPORT, self.MANIFEST)]
        self.write(folder, *texts)
        attempt(lambda: figures.built(folder), what="report", size=sum(map(len, texts)))

    def test_no_build(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr("sys.argv", ["figures", "--build", str(tmp_path)])
        assert figures.main() == 2
        assert capsys.readouterr().err.startswith("error: ")
