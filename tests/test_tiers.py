# SPDX-License-Identifier: MIT
"""The quick tests reach into every folder."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
QUICK = re.compile(r"^ *(@|.*\bmarks=)pytest\.mark\.quick\b", re.MULTILINE)
FILES = sorted(TESTS.rglob("test_*.py"))
FOLDERS = sorted({file.parent for file in FILES})


def is_quick(file):
    return QUICK.search(file.read_text(encoding="utf-8")) is not None


@pytest.mark.quick
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(TESTS)))
def test_every_folder_has_a_quick_case(folder):
    assert any(is_quick(file) for file in FILES if file.is_relative_to(folder))


def test_few_files_have_none():
    """Those whose every case takes long: whole runs in Icarus, a browser, a compiler."""
    assert sum(not is_quick(file) for file in FILES) <= len(FILES) // 8
