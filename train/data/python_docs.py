# SPDX-License-Identifier: MIT
"""The text that every Python carries: help topics, and the docstrings of the standard library.

``glintfpga train`` uses it when no text is named, so that it works at once and anywhere. A
module is a document; the lines of a paragraph are joined. It differs from version to version and
from one distribution to another, and no second person has read it, so it never passes the gate.
"""

import ast
import inspect
import lzma
import os
import platform
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.train.data.manifest import Manifest, describe, write_manifest
from glintfpga.train.data.streams import Progress

__all__ = ["python_manifest"]

_LICENSE = "PSF-2.0"
_FEWEST_CHARACTERS = 200
_UNDERLINE = re.compile(r"^[*=~^\-#\"+]{3,}$", re.MULTILINE)
_LEFT_OUT = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages"})


def python_manifest(cache: Path, *, progress: Progress | None = None) -> Path:
    """The path of a manifest below ``cache``, written with its text when it is not there yet.

    ``progress`` is called with source files done and in all: parsing takes some seconds. Raises
    ``EnvironmentProblem`` when this Python has no readable sources or the cache cannot be written
    to.
    """
    version = platform.python_version()
    folder = cache / "python-docs" / version
    text = folder / "python-docs.txt.xz"
    path = folder / "manifest.json"
    try:
        if path.exists():
            return path
        folder.mkdir(parents=True, exist_ok=True)
        found = _documents(progress)
        documents = [document for document in found if len(document) >= _FEWEST_CHARACTERS]
        if not documents:
            raise EnvironmentProblem(
                "this Python has no docstrings: name a manifest of other text, see "
                "glintfpga data add --help"
            )
        write_atomic(text, lzma.compress("\n\n".join(documents).encode(), preset=3))
        source = describe(
            folder,
            text,
            licence=_LICENSE,
            origin=f"docstrings and help topics of {platform.python_implementation()} {version}",
            added_by="glintfpga",
        )
        write_manifest(path, Manifest(folder=folder, sources=(source,)))
    except (OSError, InputError) as error:
        raise EnvironmentProblem(
            f"cannot write to {os.fspath(folder)!r}: {error}; choose another cache"
        ) from error
    return path


def _documents(progress: Progress | None) -> Iterator[str]:
    yield from map(_paragraphs, _topics())
    library = Path(sysconfig.get_path("stdlib"))
    modules = sorted(
        path
        for path in library.rglob("*.py")
        if _LEFT_OUT.isdisjoint(path.relative_to(library).parts)
    )
    for number, path in enumerate(modules, 1):
        yield "\n".join(filter(None, map(_paragraphs, _docstrings(path))))
        if progress:
            progress(number, len(modules))


def _topics() -> list[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return []
    return [text for _, text in sorted(topics.items())]


def _docstrings(path: Path) -> Iterator[str]:
    """Docstrings of a module, then of its classes and functions.

    The file is parsed, not imported: some modules act when they are.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, holders):
            yield inspect.cleandoc(ast.get_docstring(node, clean=False) or "")


def _paragraphs(text: str) -> str:
    """One line per paragraph, without blank lines and without what is indented: code and tables.

    A line of marks alone underlines a title, which then is a paragraph of its own.
    """
    kept = []
    for paragraph in _UNDERLINE.sub("\n\n", text).split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0].strip() and not lines[0].startswith((" ", ">>>")):
            kept.append(" ".join(line.strip() for line in lines if line.strip()))
    return "\n".join(kept)
