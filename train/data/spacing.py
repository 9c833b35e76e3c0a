# SPDX-License-Identifier: MIT
"""Plain text rewritten by rule into the spacing of WikiText.

WikiText has every mark as a word of its own, ``@`` signs around marks inside words, titles between
equals signs, and a space at both ends of each line::

    Red-tipped claws, 2.5 cm long, don't grip.  ->   " Red @-@ tipped claws , 2 @.@ 5 cm long , don 't grip . "

A model trained on plain text alone meets " ," and " @-@ " for the first time when it is measured
on WikiText-2, and pays for it: half of the windows rewritten brought 18.6 to 16.3 there after
12 million bytes, and cost 14.8 to 16.3 on plain text. The rules are the public ones of the Moses
tokenizer, as far as English needs them, in words of our own; no text of WikiText is used.
"""  # noqa: E501

import re

__all__ = ["spaced"]

_ABBREVIATIONS = (
    "Mr Mrs Ms Dr Prof Rev Hon St Mt Ft Gen Col Maj Capt Lt Sgt Gov Sen Rep Pres Jr Sr Bros Co "
    "Corp Inc Ltd No Nos Vol pp vs etc cf ca al Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
).split()
"""Words that keep their period."""

_KEEPS_PERIOD = "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS)

_RULES = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        # Marks inside words and numbers; the signs around them tell these marks from all others.
        (r",(?<=\d,)(?=\d)", " @,@ "),
        (r"\.(?<=\d\.)(?=\d)", " @.@ "),
        (r"-(?<=\w-)(?=\w)", " @-@ "),
        (r"-{2,}|—", " — "),
        (r"\.{2,}", " ... "),
        (r'(["()\[\]{};:!?%&/$£€¥°=+*<>~#|–])', r" \1 "),
        (r",(?<!@,)", " , "),
        # A period ends a sentence unless it follows another mark, an initial or an abbreviation.
        (rf"\.(?<=[^\s.@]\.)(?<!\b[A-Z]\.)(?<!\.\w\.){_KEEPS_PERIOD}(?=\s|$)", " ."),
        (r"'(?<!\w')|'(?!\w)", " ' "),
        (r"'(?<=\w')(?=\w)", " '"),
        (r" {2,}|\t", " "),
    )
)

_TITLE_CHARACTERS = 80
_PARAGRAPH_CHARACTERS = 80
_ENDS = tuple(".,;:!?\"')]-")


def spaced(document: str) -> str:
    """Rewrite one document (a line per paragraph); the result ends with a newline.

    A short line without a mark at its end before a long one is a title, ``= = Title = =``. So is
    such a first line, also before another title: ``= Title =``. A blank line stands between
    paragraphs and two around titles, as in the text that the WikiText-2 benchmark scores.
    """
    text = document
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    plain, lines = document.split("\n"), text.split("\n")
    parts = []
    was_title = True
    for index, line in enumerate(lines):
        title = _is_title(plain, index)
        if index:
            parts.append("\n\n" if title or was_title else "\n")
        equals = "" if not title else "= = " if index else "= "
        parts.append(f" {equals}{line.strip()} {equals[::-1].strip()}".rstrip() + " \n")
        was_title = title
    return "".join(parts)


def _is_title(lines: list[str], index: int) -> bool:
    line = lines[index]
    if len(line) > _TITLE_CHARACTERS or line.endswith(_ENDS) or index + 1 == len(lines):
        return False
    before_long = len(lines[index + 1]) > _PARAGRAPH_CHARACTERS
    return before_long or (index == 0 and _is_title(lines, 1))
