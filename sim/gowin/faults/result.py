# SPDX-License-Identifier: MIT
"""The result of a fault campaign: outcomes by group, and the shares that were detected."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glintfpga.sim.gowin.faults.mutants import OUTCOMES, Mutant
from glintfpga.sim.gowin.faults.sampler import GROUPS

__all__ = ["CampaignResult"]


@dataclass(frozen=True)
class CampaignResult:
    """All mutants of a campaign, after runs of ``cycles`` cycles in total."""

    mutants: tuple[Mutant, ...]
    cycles: int
    bytes_sampled: int = 0
    """Bytes of block RAM that memory faults were drawn from."""
    bytes_left_out: int = 0
    """Bytes that are read too, but belong to no table, model or buffer."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of mutants by group and outcome."""
        found: dict[str, dict[str, int]] = {}
        for group in GROUPS:
            tally = Counter(mutant.outcome for mutant in self.mutants if mutant.group == group)
            found[group] = {outcome: tally[outcome] for outcome in OUTCOMES}
        return found

    @property
    def detected(self) -> float:
        """Share noticed or refused, of the mutants that are not equal."""
        return _share(self._total, ("noticed", "refused"), ("equal",))

    @property
    def noticed(self) -> float:
        """Share noticed, of the mutants that ran and are not equal."""
        return _share(self._total, ("noticed",), ("equal", "refused"))

    @property
    def found_by_logic(self) -> int:
        """How many silent or unexercised mutants are not equivalent to the good chip.

        `glintfpga.sim.gowin.equivalence.netlist_equivalence` reports a difference, or a
        combinational loop, for each of them, given the netlist that the good chip was placed from.
        """
        left = (one for one in self.mutants if one.outcome in ("silent", "unexercised"))
        return sum(one.inequivalent for one in left)

    @property
    def _total(self) -> Counter[str]:
        return Counter(mutant.outcome for mutant in self.mutants)

    def facts(self) -> dict[str, Any]:
        """For proof.json: counts, and every mutant that was not detected."""
        return {
            "count": len(self.mutants),
            "cycles": self.cycles,
            "bytes_sampled": self.bytes_sampled,
            "bytes_left_out": self.bytes_left_out,
            "groups": self.counts(),
            "detected": round(self.detected, 4),
            "noticed": round(self.noticed, 4),
            "found_by_logic": self.found_by_logic,
            "survivors": [
                mutant.facts()
                for mutant in self.mutants
                if mutant.outcome not in ("noticed", "refused")
            ],
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{self._total[outcome]} {outcome}" for outcome in OUTCOMES)
        return (
            f"{'mutants':<10} {len(self.mutants)} in {self.cycles:,} cycles: {counts}; "
            f"{self.detected:.1%} noticed or refused of those not equal, "
            f"{self.noticed:.1%} noticed of those that ran; {self.found_by_logic} of those "
            "unexercised or silent differ in contents, modes or some state"
        )


def _share(total: Counter[str], found: Sequence[str], left_out: Sequence[str]) -> float:
    counted = total.total() - sum(total[outcome] for outcome in left_out)
    return sum(total[outcome] for outcome in found) / counted if counted else 1.0
