# SPDX-License-Identifier: MIT
"""Files and modules that comments and docstrings of the product name are there."""

import re

import pytest

from support.reachability import FOLDERS, ROOT, modules

KINDS = ("*.py", "*.cpp", "*.h", "*.v", "*.css")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for kind in KINDS
    for path in (ROOT / folder).rglob(kind)
    if path.parent.parent.name != "release"
)
BUILD_FILES = [ROOT / "Makefile", ROOT / "pyproject.toml", *(ROOT / ".ci").iterdir()]
_FOLDER = rf"(?:{'|'.join((*FOLDERS, 'docs', 'tests'))})"
PATH = re.compile(rf"(?<![\w/.-]){_FOLDER}/[\w./-]*\w")
MODULE = re.compile(rf"`(?:glintfpga\.)?({_FOLDER}(?:\.[a-z_]\w*)+)")
FILES = {"wasm", "json", "xz"}
"""Endings, so that ``sim.wasm`` is no module."""

FILE_MODULES = {
    name.removeprefix("glintfpga.")
    for name, path in modules().items()
    if path.name != "__init__.py"
}
KNOWN = {name.removeprefix("glintfpga.") for name in modules()} - set(FOLDERS)


def wrong_modules(text):
    for name in MODULE.findall(text):
        parts = name.split(".")
        # What follows a module's name is a function of it; a package has none.
        if (
            parts[-1] not in FILES
            and name not in KNOWN
            and ".".join(parts[:-1]) not in FILE_MODULES
        ):
            yield name


@pytest.mark.parametrize(
    "path", [*SOURCES, *BUILD_FILES], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_names(path):
    text = path.read_text(encoding="utf-8")
    assert [name for name in PATH.findall(text) if not (ROOT / name).exists()] == []
    assert list(wrong_modules(text)) == []


def test_what_a_package_does_not_have_is_found():
    text = "`train.run.gone`, `train.run.run.start`, `host.device`, `sim.wasm`"
    assert list(wrong_modules(text)) == ["train.run.gone"]
