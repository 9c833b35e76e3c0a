# SPDX-License-Identifier: MIT
"""What a campaign came to, as a table of Markdown and two sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from support.linktest.scenario import Outcome

__all__ = ["Cell", "table", "verdict"]

HEAD = (
    "| faults | a byte in | conversations | struck | frames sent | damaged | refused | sent again "
    "| connected again | wrong items | s, median | s, most |"
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The conversations with one kind of fault at one rate a byte."""

    kind: str
    rate: float
    outcomes: Sequence[Outcome]

    def total(self, name: str) -> int:
        """Sum of a field of the outcomes."""
        return sum(getattr(outcome, name) for outcome in self.outcomes)


def _row(cell: Cell) -> str:
    seconds = sorted(outcome.seconds for outcome in cell.outcomes)
    retries = cell.total("host_retries") + cell.total("device_retries")
    again = cell.total("attempts") - len(cell.outcomes)
    numbers = (
        len(cell.outcomes),
        *(cell.total(name) for name in ("faults", "sent", "damaged", "refused")),
        retries,
        again,
        cell.total("wrong"),
    )
    rate = f"{1 / cell.rate:,.0f}" if cell.rate else "-"
    columns = [cell.kind, rate, *(f"{number:,}" for number in numbers)]
    columns += [f"{seconds[len(seconds) // 2]:.2f}", f"{seconds[-1]:.2f}"]
    return f"| {' | '.join(columns)} |"


def table(cells: Sequence[Cell]) -> str:
    """One row a cell."""
    rule = "|".join(["---"] * HEAD.count("|"))
    return "\n".join([HEAD, f"|{rule.removesuffix('|---')}|", *map(_row, cells)]) + "\n"


def verdict(cells: Sequence[Cell]) -> str:
    """What came of all cells, and what a CRC of 32 bits was expected to let through."""
    outcomes = [outcome for cell in cells for outcome in cell.outcomes]
    total = Cell(kind="", rate=0, outcomes=outcomes)
    complaints = [outcome.complaint for outcome in outcomes if outcome.complaint]
    damaged = total.total("damaged")
    found = "; ".join(sorted(set(complaints))[:3])
    return (
        f"{len(outcomes):,} conversations, {total.total('items'):,} items delivered, "
        f"{total.total('wrong')} of them wrong, {sum(o.hung for o in outcomes)} conversations "
        f"without an end, {len(complaints)} complaints{': ' * bool(found)}{found}. "
        f"{damaged:,} damaged frames were received; each has a chance of 2^-32 to pass the CRC, "
        f"{damaged / 2**32:.1g} expected in all, {total.total('forged')} found."
    )
