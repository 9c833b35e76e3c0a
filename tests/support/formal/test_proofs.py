# SPDX-License-Identifier: MIT
import platform
import sys

import pytest

from support.formal.proofs import PROOFS
from support.formal.solve import bounded, induction, reached, translate

pytestmark = pytest.mark.skipif(
    sys.platform == "darwin" or platform.machine() not in {"x86_64", "AMD64"},
    reason="the solver has no wheel for this machine",
)


@pytest.mark.parametrize("name", PROOFS)
def test_statements_hold_for_ever_and_find_planted_faults(name, tmp_path):
    proof = PROOFS[name]
    faulty = {f"fault_{i}": proof.harness(fault) for i, fault in enumerate(proof.faults)}
    claims = translate({"sound": proof.harness(), **faulty}, tmp_path)

    assert bounded(claims["sound"], proof.bounded).failed == ()
    assert induction(claims["sound"], proof.k).failed == ()
    assert reached(claims["sound"], proof.reach).failed == ()

    for number, fault in enumerate(proof.faults):
        claim = claims[f"fault_{number}"]
        answer = bounded(claim, fault.cycles) if fault.cycles else induction(claim, proof.k)
        assert not answer.holds, fault
        assert answer.failed, fault
        assert not fault.cycles or fault.statement in answer.failed, answer.failed
        assert answer.trace is not None and answer.trace.stat().st_size
