# SPDX-License-Identifier: MIT
"""The tables that docs/proof_table.py makes of a proof."""

from glintfpga.sim.proof.campaign import Campaign
from glintfpga.sim.proof.mutants import Patch
from glintfpga.sim.proof.planter import Mutant

PROOF = {
    "bitstream_sha256": "ab" * 32,
    "clock_hz": 54_000_000,
    "stages": [{"name": "RTL", "compared": "9 tokens", "cycles": 1234, "difference": ""}],
}


def test_tables(load_script):
    tables = load_script("proof_table").tables
    page = tables(PROOF)
    assert "| RTL | 9 tokens | 1,234 | none |" in page
    assert "planted" not in page

    outcomes = ["noticed"] * 3 + ["refused", "equal", "silent", "silent"]
    mutants = (Mutant("logic", "x", Patch(), outcome=one, why="w") for one in outcomes)
    facts = Campaign(tuple(mutants), 2_000_000).facts()
    page = tables(PROOF | {"mutants": facts | {"seconds": 90, "processor_seconds": 120}})
    assert "| logic | 7 | 3 | 1 | 1 | 0 | 2 |" in page
    assert "| all | 7 | 3 | 1 | 1 | 0 | 2 |" in page
    assert "Of the 6 that are not shown equal, 4 were noticed or refused: 66.7%." in page
    assert "Of the 5 of them that ran, 3 were noticed: 60.0%." in page
    assert "2.0 million cycles; 1.5 minutes, 2.0 of processor time." in page
    assert "| logic | silent | w | 2 |" in page
