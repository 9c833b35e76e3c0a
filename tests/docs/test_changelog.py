# SPDX-License-Identifier: MIT
"""CHANGELOG.md keeps its form: Keep a Changelog, one line per entry."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_newest_release_is_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    heads = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", TEXT, re.MULTILINE)
    assert heads[0] == ("Unreleased", "")
    assert heads[1][0] == project["version"]
    assert all(date for _, date in heads[1:])
    assert set(re.findall(r"^\[(.+?)\]: https://", TEXT, re.MULTILINE)) == {n for n, _ in heads}


@pytest.mark.quick
def test_entries_are_one_line_each():
    assert set(re.findall(r"^### (.*)$", TEXT, re.MULTILINE)) <= KINDS
    for line in TEXT[TEXT.index("## [Unreleased]") :].splitlines():
        assert re.match(r"- \S.*\.$|#|\*\*.+\*\*$|\[|$", line), line
        assert len(line) <= 120
