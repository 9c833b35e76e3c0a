# SPDX-License-Identifier: MIT
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.train.data.spacing import spaced

LONG = "A long paragraph follows here, which is more than eighty characters long and so a text."
WRITTEN = LONG.replace(",", " ,").replace("text.", "text .")


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("Red-tipped claws, they say.", "Red @-@ tipped claws , they say ."),
        ("It cost $1,234,567.89!", "It cost $ 1 @,@ 234 @,@ 567 @.@ 89 !"),
        ('"No," he said; (why?)', '" No , " he said ; ( why ? )'),
        ("He wrote it. It is his.", "He wrote it . It is his ."),
        ("J. R. Smith of the U.S. met Dr. No. 5.", "J. R. Smith of the U.S. met Dr. No. 5 ."),
        ("don't, it's the dogs' 'bone'", "don 't , it 's the dogs ' ' bone '"),
        ("here--there\u2014and so on...", "here \u2014 there \u2014 and so on ..."),
        ("5\u20136 kg, 3/4, 50%", "5 \u2013 6 kg , 3 / 4 , 50 %"),
        ("a - b, -5", "a - b , -5"),
    ],
)
def test_marks(plain, written):
    assert spaced(plain) == f" {written} \n"


def test_titles_and_paragraphs():
    text = f"The Title\nA Section\n{LONG}\nshort line\nEnd.\n{LONG}\nLast Title\n{LONG}"
    assert spaced(text) == (
        " = The Title = \n\n\n = = A Section = = \n\n\n"
        f" {WRITTEN} \n\n short line \n\n End . \n\n {WRITTEN} \n\n\n"
        f" = = Last Title = = \n\n\n {WRITTEN} \n"
    )


def test_verse_has_no_titles():
    assert "=" not in spaced("SPEAKER:\nA line without an end\nand a second one")


@pytest.mark.quick
@given(st.text(alphabet="ab .,'\"-()5\u2014!@\n", min_size=1, max_size=80))
def test_no_letter_is_lost_and_spaces_are_single(text):
    lines = [line.rstrip() for line in text.split("\n")]
    document = "\n".join(line for line in lines if line) or "a"
    result = spaced(document)
    letters = r"[ab5!]"
    assert re.findall(letters, result) == re.findall(letters, document)
    assert "  " not in result
    assert all(line == "" or line.startswith(" ") for line in result.split("\n"))
    assert result.endswith(" \n")
