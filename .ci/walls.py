# SPDX-License-Identifier: MIT
"""Walls of the tree that no linter knows: ``PYTHONPATH=tests python .ci/walls.py``.

Fails on a module over 500 lines, on a module of the product that no command reaches, and on a
package whose docstring is not a map of 5 to 12 lines.
"""

import ast
import sys
from collections.abc import Iterator

from support.reachability import FOLDERS, ROOT, modules, unreached

MAX_LINES = 500
MAP_LINES = range(5, 13)


def too_long() -> Iterator[str]:
    for folder in (*FOLDERS, "docs", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > MAX_LINES:
                yield f"{path.relative_to(ROOT)}: {count} lines; {MAX_LINES} at most"


def out_of_reach() -> Iterator[str]:
    for name in unreached(modules()):
        yield f"{name}: no command reaches it; what only tests use belongs to tests/support"


def without_map() -> Iterator[str]:
    for path in modules().values():
        if path.name == "__init__.py":
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            if len(docstring.splitlines()) not in MAP_LINES:
                yield f"{path.relative_to(ROOT)}: says in 5 to 12 lines what lives in this folder"


def main() -> int:
    faults = [*too_long(), *out_of_reach(), *without_map()]
    print("\n".join(faults) or "walls: kept")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
