# SPDX-License-Identifier: MIT
"""One injected fault, and the classification of its outcome.

============  =================================================================================
noticed       some pad differs from the good chip's in some cycle, or a signal oscillates
refused       the decoder finds a fuse combination without a meaning, or another clock: never run
equal         the decoded circuit is the same; or it is proved that no input sequence tells the
              mutant from the good chip once the self-test is over; or the fault is in a memory
              byte that is proved never to be used before it is written
unexercised   a LUT table differs, and the runs never use an entry that differs
silent        all others: the runs end without a difference at any pad
============  =================================================================================
"""

from dataclasses import dataclass, field
from typing import Any

from glintfpga.sim.gowin.faults.patches import Patch

__all__ = ["OUTCOMES", "Mutant", "classify", "is_equal"]

OUTCOMES = ("noticed", "refused", "equal", "unexercised", "silent")


@dataclass
class Mutant:
    """One fault, what was proved and observed of it, and its outcome."""

    group: str
    what: str
    patch: Patch
    outcome: str = ""
    why: str = ""
    stays_equal: bool = False
    """Proved: once its state equals the good chip's, it stays equal."""
    inequivalent: bool = False
    """Not equivalent to the good chip: other contents or modes, or some state tells them apart,
    even if that state cannot be reached."""
    masked: bool = False
    """Proved: the changed memory bits are never used before they are overwritten."""
    converged_at: set[tuple[int, bool]] = field(default_factory=set)
    """(cycle, value of floating inputs) pairs before the first byte to the chip at which its state
    equals the good chip's."""
    converged: bool = False
    """Only memory contents differed, and at a checkpoint its state equaled the good chip's: from
    there on, it is the good chip."""
    activated: bool = False
    """Its changed table has produced another output than the original table would have."""
    latched: bool = False
    """Some register or memory has stored another value than in the good chip."""

    def facts(self) -> dict[str, Any]:
        """For proof.json."""
        return {key: getattr(self, key) for key in ("group", "what", "outcome", "why")}


def is_equal(mutant: Mutant) -> bool:
    """Whether the mutant is proved equal: masked, or converged for good.

    The latter needs both values of floating inputs to converge in the same cycle, which is the
    cycle from which the proved clauses hold.
    """
    cycles = {cycle for cycle, _ in mutant.converged_at}
    converged = len(mutant.converged_at) == 2 and len(cycles) == 1
    return mutant.masked or mutant.stays_equal and converged


def classify(mutant: Mutant) -> None:
    """Set the outcome of a mutant after all its runs."""
    if mutant.outcome:
        return
    if mutant.masked:
        mutant.outcome, mutant.why = "equal", "a byte of a ring, written before it is used"
    elif is_equal(mutant):
        mutant.outcome, mutant.why = "equal", "holds the same after the self-test, for ever"
    elif mutant.patch.is_table and not (mutant.activated or mutant.latched):
        mutant.outcome, mutant.why = "unexercised", "the runs use none of its other entries"
    elif not mutant.latched:
        mutant.outcome, mutant.why = "silent", "no register takes the difference"
    elif mutant.converged:
        mutant.outcome, mutant.why = "silent", "the difference is gone before a pad shows it"
    else:
        mutant.outcome, mutant.why = "silent", "the runs use it, no pad shows it"
