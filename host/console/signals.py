# SPDX-License-Identifier: MIT
"""Signals that end a command, as from ``timeout`` or a closed terminal: it cleans up first."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

__all__ = ["tidy_end"]

NAMES = ("SIGTERM", "SIGHUP")
"""Windows has no SIGHUP, and sends neither."""


@contextlib.contextmanager
def tidy_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave the block as ``SystemExit``, with the code a shell gives them.

    So children are ended and drafts removed on the way out; a second signal, as ``timeout`` sends,
    does not disturb that. A signal that is ignored, as by nohup, stays ignored.
    """
    before: dict[signal.Signals, Any] = {}

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    with contextlib.suppress(ValueError):  # not the main thread, which alone has handlers
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
