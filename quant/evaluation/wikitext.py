# SPDX-License-Identifier: MIT
"""WikiText as it is scored: one text of all rows, and pages as they would be typed."""

import re
from collections.abc import Sequence

__all__ = ["detokenized", "leaderboard_text"]

_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"s '", "s'"),
        *((rf" @({mark})@ ", r"\1") for mark in ("-", ",", r"\.")),
        *((rf" ({mark}) ", r"\1 ") for mark in (":", ";", r"\.", "!", r"\?", ",")),
        (r"\(\s*([^)]*?)\s*\)", r"(\1)"),
        (r"\[\s*([^\]]*?)\s*\]", r"[\1]"),
        (r"\{\s*([^}]*?)\s*\}", r"{\1}"),
        (r'"\s*([^"]*?)\s*"', r'"\1"'),
        (r"'\s*([^']*?)\s*'", r"'\1'"),
        (r"= = = =", "===="),
        (r"= = =", "==="),
        (r"= =", "=="),
        (r" ° ", "°"),
        (r" \n", "\n"),
        (r"\n ", "\n"),
        (r" N ", " 1 "),
        (r" 's", "'s"),
    )
)
"""What the detokenizer of lm-evaluation-harness replaces, in its order."""


def leaderboard_text(rows: Sequence[str]) -> str:
    """Join rows (a line each with its newline, a blank line as "") by newlines, and strip.

    Of the whole test set that is 1,292,008 bytes, the count that public scores of the leaderboard
    divide by.
    """
    return "\n".join(rows).strip()


def detokenized(page: str) -> str:
    """The page as it would be typed, by the rules of lm-evaluation-harness."""
    for pattern, replacement in _RULES:
        page = pattern.sub(replacement, page)
    return page
