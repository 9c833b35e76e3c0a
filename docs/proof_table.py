# SPDX-License-Identifier: MIT
"""Writes the figures of a proof into docs/proof.md: ``python docs/proof_table.py proof.json``.

A proof without the stage of synthesis, for want of a build cache, leaves the table of the stages as
it is, one without mutants that of the faults; both say which bitstream they are of.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from glintfpga.sim.gowin.faults.mutants import OUTCOMES

__all__ = ["PAGE", "faults", "stages"]

PAGE = Path(__file__).resolve().with_name("proof.md")


def stages(proof: dict[str, Any]) -> str:
    """The stages as markdown."""
    lines = ["| stage | compared | cycles | differences |", "|---|---|--:|---|"]
    for stage in proof["stages"]:
        found = stage["difference"] or "none"
        cycles = f"{stage['cycles']:,}" if stage["cycles"] else "any state"
        lines.append(f"| {stage['name']} | {stage['compared']} | {cycles} | {found} |")
    return "\n".join([*lines, "", _of(proof)]) + "\n"


def faults(proof: dict[str, Any]) -> str:
    """The mutants by group, the shares, and what was not noticed, as markdown."""
    return "\n".join([*_planted(proof["mutants"]), "", _of(proof)]) + "\n"


def _of(proof: dict[str, Any]) -> str:
    sha = proof["bitstream_sha256"][:16]
    return f"Simulated; bitstream {sha}, {proof['clock_hz'] / 1e6:g} MHz."


def _planted(mutants: dict[str, Any]) -> list[str]:
    """Outcomes by group, the shares, and what the faults are that were not noticed."""
    lines = [f"| fault | injected | {' | '.join(OUTCOMES)} |", "|---|--:|" + "--:|" * len(OUTCOMES)]
    groups = mutants["groups"]
    for name, counts in groups.items():
        lines.append(_row(name, [counts[outcome] for outcome in OUTCOMES]))
    sums = {outcome: sum(counts[outcome] for counts in groups.values()) for outcome in OUTCOMES}
    lines.append(_row("all", list(sums.values())))
    differ = mutants["count"] - sums["equal"]
    ran, found = differ - sums["refused"], sums["noticed"] + sums["refused"]
    shares = (
        f"Of the {differ} that are not shown equal, {found} were noticed or refused: "
        f"{mutants['detected']:.1%}. Of the {ran} of them that ran, {sums['noticed']} were "
        f"noticed: {mutants['noticed']:.1%}."
    )
    cost = (
        f"{mutants['cycles'] / 1e6:.1f} million cycles; {mutants['seconds'] / 60:.1f} minutes, "
        f"{mutants['processor_seconds'] / 60:.1f} of processor time. Faults of memory are drawn "
        f"from {mutants['bytes_sampled']:,} bytes; {mutants['bytes_left_out']:,} more are read, "
        "but are no part of a table, a model or a buffer."
    )
    left = sums["unexercised"] + sums["silent"]
    others = (
        f"Of the {left} that are unexercised or silent, {mutants['found_by_logic']} differ from "
        "the good chip in contents, modes or some state, of which the stage `logic` would tell."
    )
    lines += ["", shares, others, cost, ""]
    lines += ["| not noticed | outcome | why | count |", "|---|---|---|--:|"]
    whys = Counter((one["group"], one["outcome"], one["why"]) for one in mutants["survivors"])
    lines += [f"| {' | '.join(key)} | {count} |" for key, count in sorted(whys.items())]
    return lines


def _row(name: str, counts: list[int]) -> str:
    return f"| {name} | {sum(counts)} | {' | '.join(map(str, counts))} |"


def main(path: Path) -> None:
    """Replace what stands between the marks."""
    proof = json.loads(path.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    if any(stage["name"] == "synthesis" for stage in proof["stages"]):
        page = _between(page, "figures", stages(proof))
    if "mutants" in proof:
        page = _between(page, "faults", faults(proof))
    PAGE.write_text(page, encoding="utf-8")


def _between(page: str, mark: str, text: str) -> str:
    part = re.compile(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    return part.sub(lambda _: text, page)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
