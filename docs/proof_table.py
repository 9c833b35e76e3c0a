# SPDX-License-Identifier: MIT
"""Writes the figures of a proof into docs/proof.md: ``python docs/proof_table.py proof.json``."""

import json
import re
import sys
from pathlib import Path
from typing import Any

__all__ = ["PAGE", "tables"]

PAGE = Path(__file__).resolve().with_name("proof.md")
OUTCOMES = ("noticed", "refused", "equal", "unexercised", "silent")
_PART = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end -->)", re.DOTALL)


def tables(proof: dict[str, Any]) -> str:
    """The stages, and the mutants by group where there are any, as markdown."""
    lines = ["| stage | compared | cycles | differences |", "|---|---|--:|---|"]
    for stage in proof["stages"]:
        found = stage["difference"] or "none"
        lines.append(f"| {stage['name']} | {stage['compared']} | {stage['cycles']:,} | {found} |")
    mutants = proof.get("mutants")
    if mutants:
        lines += ["", f"| fault | planted | {' | '.join(OUTCOMES)} |", "|---|" + "--:|" * 6]
        for name, counts in mutants["groups"].items():
            lines.append(_row(name, [counts[outcome] for outcome in OUTCOMES]))
        sums = [
            sum(counts[outcome] for counts in mutants["groups"].values()) for outcome in OUTCOMES
        ]
        lines.append(_row("all", sums))
    sha = proof["bitstream_sha256"][:16]
    return "\n".join(lines) + f"\n\nSimulated; bitstream {sha}, {proof['clock_hz'] / 1e6:g} MHz.\n"


def _row(name: str, counts: list[int]) -> str:
    return f"| {name} | {sum(counts)} | {' | '.join(map(str, counts))} |"


def main(path: Path) -> None:
    """Replace what stands between the marks."""
    page = PAGE.read_text(encoding="utf-8")
    figures = tables(json.loads(path.read_text(encoding="utf-8")))
    PAGE.write_text(_PART.sub(lambda _: figures, page), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
