# SPDX-License-Identifier: MIT
"""Progress on stderr, when a person is looking at it."""

import contextlib
import logging
from collections.abc import Callable, Iterator

__all__ = ["counting"]


@contextlib.contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[float], None]]:
    """A bar from 0 to ``total`` on a terminal; nothing elsewhere or with -q."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    wanted = console.is_terminal and logging.getLogger("glintfpga").isEnabledFor(logging.INFO)
    with Progress(console=console, transient=True, disable=not wanted) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
