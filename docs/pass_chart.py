# SPDX-License-Identifier: MIT
"""Draws docs/pass.svg, a pass as it was and as it is: ``python docs/pass_chart.py``."""

from pathlib import Path

from glintfpga.host.report.markup import Markup
from glintfpga.host.report.pass_chart import NOW, PassTimes, svg

__all__ = ["BEFORE", "TARGET", "picture"]

TARGET = Path(__file__).resolve().with_name("pass.svg")
BEFORE = PassTimes(
    norm=6, value=5, rotated=7, score_add=9, score_x=13, z=8, hidden_x=12, q=1, scores=5,
    score_groups=3,
)  # fmt: skip
"""Of 2026-11-30: multipliers of two cycles, k before q, and the newest k read back from its ring,
for which the scores waited with an empty group."""


def picture() -> Markup:
    """Both passes to one scale."""
    return svg(
        (f"before: {BEFORE.cycles} cycles a pass, 442 a token", BEFORE),
        (f"now: {NOW.cycles} cycles a pass, 310 a token", NOW),
        xmlns="http://www.w3.org/2000/svg",
    )


if __name__ == "__main__":
    TARGET.write_text(picture() + "\n", encoding="utf-8")
