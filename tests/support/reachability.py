# SPDX-License-Identifier: MIT
"""Which modules of the product a command can reach: imports followed from the command line.

Counted are imports anywhere in a module, those inside of functions too, and whole strings that
name a module (``"glintfpga.train.merge.score_worker"``), for what is imported by name. Imports
for the type checker alone do not count.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from glintfpga.host.cli import COMMANDS

__all__ = ["FOLDERS", "ROOT", "is_shipped_data", "modules", "unreached"]

ROOT = Path(__file__).parents[2]
FOLDERS = ("boards", "firmware", "hdl", "host", "quant", "sim", "train")
_ENTRIES = (
    "glintfpga.host.cli",
    *(f"glintfpga.host.commands.{name}" for name in COMMANDS.values()),
)
_SHIPPED_AS_DATA = ("glintfpga.train.infer",)
"""`release` copies it beside each model, as a program of its own."""
_NAME = re.compile(r"(glintfpga(?:\.\w+)+)(?::\w+)?")


def is_shipped_data(path: Path) -> bool:
    """Whether a Python file is part of a released model, ``train/release/<model>/``."""
    return path.parent.parent.name == "release"


def modules() -> dict[str, Path]:
    """The product's modules and packages by name."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not is_shipped_data(path):
                parts = path.relative_to(ROOT).with_suffix("").parts
                found[".".join(("glintfpga", *parts)).removesuffix(".__init__")] = path
    return found


def unreached(known: Mapping[str, Path]) -> list[str]:
    """Those of `known` that no command imports, however deep; packages are left out."""
    reached: set[str] = set()
    open_names = [name for name in (*_ENTRIES, *_SHIPPED_AS_DATA) if name in known]
    while open_names:
        name = open_names.pop()
        if name not in reached:
            reached.add(name)
            tree = ast.parse(known[name].read_text(encoding="utf-8"))
            open_names += [one for one in _names(tree) if one in known]
    return [
        name for name, path in known.items() if name not in reached and path.name != "__init__.py"
    ]


def _names(tree: ast.AST) -> Iterator[str]:
    """Names that may be modules: of imports and of strings."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for other in node.orelse:
                    yield from _names(ast.Module([other], []))
                continue
            case ast.Expr(value=ast.Constant()):
                continue  # a docstring
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Constant(value=str(text)) if found := _NAME.fullmatch(text):
                yield found[1]
        yield from _names(node)
