# SPDX-License-Identifier: MIT
"""Components with a planted fault, to see that a proof of them fails."""

import importlib
import inspect
from types import ModuleType

__all__ = ["with_fault"]


def with_fault(module: str, right: str, wrong: str) -> ModuleType:
    """A copy of a module in which one piece of source text is replaced by another.

    Raises ``ValueError`` unless ``right`` stands exactly once in the source: a fault that is no
    longer planted must not look like one that is not found.
    """
    original = importlib.import_module(module)
    source = inspect.getsource(original)
    if source.count(right) != 1:
        raise ValueError(f"{right!r} stands {source.count(right)} times in {module}, not once")
    faulty = ModuleType(module)
    faulty.__file__ = original.__file__
    exec(compile(source.replace(right, wrong), str(original.__file__), "exec"), faulty.__dict__)
    return faulty
