# SPDX-License-Identifier: MIT
"""The code tour, the glossary and the table of folders against the tree."""

import re
from collections import Counter
from pathlib import Path

import pytest

from support.reachability import FOLDERS

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "docs" / "code-tour.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
STOPS = re.findall(r"^\d+\. \[([^]]+)\]\(\.\./([^)]+)\) ", TOUR, re.MULTILINE)
"""Text and target of the link that each numbered paragraph begins with."""
ENTRY = r"^\| ([^|`]+) \| ([^|]+) \| `([^`]+)` \|$"
ENTRIES = re.findall(ENTRY, GLOSSARY, re.MULTILINE)


def test_the_tour_has_twelve_files_and_begins_with_the_model():
    names = [target for _, target in STOPS]
    assert [text for text, _ in STOPS] == names
    assert len(set(names)) == len(names) == 12
    assert names[0] == "train/infer.py"
    numbers = re.findall(r"^(\d+)\. ", TOUR, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 13)]


def test_the_files_of_the_tour_have_what_it_names():
    texts = "".join((ROOT / name).read_text(encoding="utf-8") for _, name in STOPS)
    for name in re.findall(r"`([A-Za-z_.]+)`", TOUR):
        assert name.rpartition(".")[2] in texts, name


def test_the_glossary_has_each_word_once():
    rows = len(re.findall(r"^\| (?!word|-)", GLOSSARY, re.MULTILINE))
    counts = Counter(word.lower() for word, _, _ in ENTRIES)
    assert rows == len(ENTRIES) > 40
    assert set(counts.values()) == {1}
    for table in GLOSSARY.split("## ")[1:]:
        words = [word.lower() for word, _, _ in re.findall(ENTRY, table, re.MULTILINE)]
        assert words == sorted(words)


@pytest.mark.quick
@pytest.mark.parametrize(("word", "name"), [(word, name) for word, _, name in ENTRIES])
def test_the_file_of_a_word_has_it(word, name):
    text = (ROOT / name).read_text(encoding="utf-8").lower()
    assert all(part in text for part in re.findall(r"[a-z]+", word.lower()))


def test_the_readme_lists_all_folders():
    listed = re.findall(r"^\| `(\w+)/` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((*FOLDERS, "docs", "tests"))
