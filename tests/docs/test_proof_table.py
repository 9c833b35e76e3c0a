# SPDX-License-Identifier: MIT
"""The table that docs/proof_table.py makes of a proof."""

import json

import pytest

from glintfpga.sim.gowin.faults.mutants import Mutant
from glintfpga.sim.gowin.faults.patches import Patch
from glintfpga.sim.gowin.faults.result import CampaignResult
from support.scripts import load_script

PROOF = {
    "bitstream_sha256": "ab" * 32,
    "clock_hz": 54_000_000,
    "stages": [{"name": "RTL", "compared": "9 tokens", "cycles": 1234, "difference": ""}],
}


def test_tables():
    script = load_script("proof_table")
    assert "| RTL | 9 tokens | 1,234 | none |" in script.stages(PROOF)
    logic = PROOF["stages"][0] | {"name": "logic", "cycles": 0}
    assert "| logic | 9 tokens | any state | none |" in script.stages(PROOF | {"stages": [logic]})

    outcomes = ["noticed"] * 3 + ["refused", "equal", "silent", "silent"]
    mutants = [Mutant("logic", "x", Patch(), outcome=one, why="w") for one in outcomes]
    mutants[-1].inequivalent = mutants[0].inequivalent = True
    facts = CampaignResult(tuple(mutants), 2_000_000).facts()
    page = script.faults(PROOF | {"mutants": facts | {"seconds": 90, "processor_seconds": 120}})
    assert "| logic | 7 | 3 | 1 | 1 | 0 | 2 |" in page
    assert "| all | 7 | 3 | 1 | 1 | 0 | 2 |" in page
    assert "Of the 6 that are not shown equal, 4 were noticed or refused: 66.7%." in page
    assert "Of the 5 of them that ran, 3 were noticed: 60.0%." in page
    assert "Of the 2 that are unexercised or silent, 1 differ from the good chip" in page
    assert "2.0 million cycles; 1.5 minutes, 2.0 of processor time." in page
    assert "| logic | silent | w | 2 |" in page


@pytest.mark.quick
def test_only_what_a_proof_has_is_replaced(tmp_path):
    script = load_script("proof_table")
    script.PAGE = page = tmp_path / "proof.md"
    marks = "<!-- figures -->\nold\n<!-- end -->\ntext\n<!-- faults -->\nolder\n<!-- end -->\n"
    page.write_text(marks, encoding="utf-8")
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(PROOF), encoding="utf-8")
    script.main(path)
    assert page.read_text(encoding="utf-8") == marks
    synthesis = PROOF["stages"][0] | {"name": "synthesis"}
    path.write_text(json.dumps(PROOF | {"stages": [synthesis]}), encoding="utf-8")
    script.main(path)
    assert page.read_text(encoding="utf-8") == marks.replace(
        "old\n", script.stages(PROOF | {"stages": [synthesis]}), 1
    )
