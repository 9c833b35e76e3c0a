# SPDX-License-Identifier: MIT
"""The scripts of docs/, which is no package, as modules."""

import importlib.util
from pathlib import Path
from types import ModuleType

__all__ = ["load_script"]

_DOCS = Path(__file__).parents[2] / "docs"


def load_script(name: str) -> ModuleType:
    """``docs/<name>.py``, executed anew."""
    spec = importlib.util.spec_from_file_location(name, _DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
