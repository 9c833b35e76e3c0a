# SPDX-License-Identifier: MIT
"""The docstring of each package, its map, against what lives there and what it imports.

A map has one sentence "Imports ...". What it names in double backticks, before a semicolon, is a
folder, package or module of ours outside the package. Each is imported, and nothing else is.
"""

import ast
import re

import pytest

from support.reachability import modules

MODULES = {name.removeprefix("glintfpga."): path for name, path in modules().items()}
PACKAGES = [name for name, path in MODULES.items() if path.name == "__init__.py"]
SENTENCE = re.compile(r"(?<!\S)Imports (.*?)(?:;|\.(?!\S))")


def tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def words_of(package):
    return " ".join((ast.get_docstring(tree(package)) or "").split())


def within(name, package):
    return f"{name}.".startswith(f"{package}.")


def imports(name):
    """Our modules that a module imports, wherever in it."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            longer = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [
                one if one.removeprefix("glintfpga.") in MODULES else node.module for one in longer
            ]
        else:
            continue
        yield from (one.removeprefix("glintfpga.") for one in names if within(one, "glintfpga"))


def outside_imports(package):
    inside = [name for name in MODULES if within(name, package)]
    return {other for name in inside for other in imports(name) if not within(other, package)}


@pytest.mark.quick
@pytest.mark.parametrize("package", PACKAGES)
def test_a_map_says_what_is_imported(package):
    (sentence,) = SENTENCE.findall(words_of(package))
    named = re.findall(r"``([a-z_0-9.]+)``", sentence)
    imported = outside_imports(package)
    assert [one for one in named if not any(within(other, one) for other in imported)] == []
    assert [one for one in imported if not any(within(one, other) for other in named)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_map_has_every_module_and_folder(package):
    children = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package}
    assert children - set(re.findall(r"\w+", words_of(package))) == set()
