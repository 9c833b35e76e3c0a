# SPDX-License-Identifier: MIT
import re
from pathlib import Path

import pytest

from glintfpga.firmware.blink.image import Image
from support.scripts import load_script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tables():
    """Read the tables of a page: lists of rows by the first cells of their heads."""

    def read(page):
        found = {}
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for match in re.finditer(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
            rows = [
                [cell.strip() for cell in line.strip("|").split("|")]
                for line in match[0].splitlines()
            ]
            assert rows[0][0] not in found, "two tables of one name"
            found[rows[0][0]] = rows[2:]
        return found

    return read


@pytest.fixture(scope="session")
def number_plan(tables):
    return tables("number-plan.md")


@pytest.fixture(scope="session")
def python_blocks():
    """The texts of a page's blocks fenced as ``python``."""

    def read(page):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)

    return read


@pytest.fixture(scope="session")
def blink():
    """The shipped image."""
    return Image.read(ROOT / "train" / "release" / "blink-base" / "model.glint")


def pytest_generate_tests(metafunc):
    """A test with ``block`` runs once for each console block of each page."""
    if "block" in metafunc.fixturenames:
        record = load_script("record")
        cases = [
            pytest.param(block, id=f"{page.stem}-{number}")
            for page in record.PAGES
            for number, block in enumerate(record.blocks(page.read_text(encoding="utf-8")))
        ]
        metafunc.parametrize("block", cases)
