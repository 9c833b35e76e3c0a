# SPDX-License-Identifier: MIT
"""Progress of what takes long, on stderr: a bar on a terminal, a line now and then elsewhere.

Nothing appears before `PATIENCE_S`, stays after the end, or appears at all with -q.
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from glintfpga.host.text import is_plain

__all__ = ["Progress", "counting"]

PATIENCE_S = 0.7
LINE_EVERY_S = 30.0
BELIEVED = 0.05
"""Share of the whole a phase must have covered before its pace tells the time left."""

_log = logging.getLogger("glintfpga")
_showing = threading.Lock()


class Progress:
    """How far something is. Call it to tell; ``what`` and ``total`` as of `counting`."""

    def __init__(self, what: str, total: float | None, *, clock: Callable[[], float]):
        self.what = what
        self.total = total
        self._clock = clock
        self.done = self._phase_from = 0.0
        self._began = self._told = self._phase_began = clock()
        self._phase = ""
        self._detail = ""

    def __call__(self, done: float, detail: str = "", *, phase: str = "") -> None:
        """So much is done.

        ``detail`` is what happens now. The time left is estimated from the pace within a
        ``phase``, for jobs whose parts differ in pace or are skipped.
        """
        self._told = self._clock()
        if phase != self._phase:
            self._phase, self._phase_began, self._phase_from = phase, self._told, done
        self.done, self._detail = done, detail

    @property
    def seconds_left(self) -> float | None:
        """Estimated, None while nothing can be said."""
        covered = self.done - self._phase_from
        if self.total is None or covered < BELIEVED * self.total:
            return None
        whole = (self._told - self._phase_began) / covered * (self.total - self.done)
        return max(0.0, whole - (self._clock() - self._told))

    @property
    def state(self) -> str:
        """As ``45 %, 3:10 left, routing``, or without a total the time spent."""
        if self.total is None:
            parts = [_minutes(self._clock() - self._began), self._detail]
        else:
            left = self.seconds_left
            parts = [f"{100 * self.done / self.total:.0f} %"]
            parts += [] if left is None else [f"{_minutes(left)} left"]
            parts += [self._detail]
        return ", ".join(part for part in parts if part)


class _Lines(Progress):
    """For files and pipes."""

    def __call__(self, done: float, detail: str = "", *, phase: str = "") -> None:
        last = self._told
        super().__call__(done, detail, phase=phase)
        slot = int((self._told - self._began) / LINE_EVERY_S)
        if slot > int((last - self._began) / LINE_EVERY_S):
            _log.info("%s: %s", self.what, self.state)


@contextlib.contextmanager
def counting(what: str, total: float | None = None) -> Iterator[Progress]:
    """Show how far ``what`` is while the block runs; call the result with 0..``total``.

    Without a total, only that it runs and for how long. Within another one nothing is shown.
    """
    clock = time.monotonic
    if not _log.isEnabledFor(logging.INFO) or _showing.locked():
        yield Progress(what, total, clock=clock)
    elif not (sys.stderr and sys.stderr.isatty()) or is_plain():
        with _showing:
            yield _Lines(what, total, clock=clock)
    else:
        progress = Progress(what, total, clock=clock)
        with _showing, _bar(progress):
            yield progress


@contextlib.contextmanager
def _bar(progress: Progress) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    live = Live(
        console=Console(stderr=True),
        get_renderable=lambda: _drawn(progress),
        refresh_per_second=8,
        transient=True,
        # Data goes where it was sent to; on the terminal what `print` writes stays above the bar.
        redirect_stdout=bool(sys.stdout and sys.stdout.isatty()),
    )
    timer = threading.Timer(PATIENCE_S, live.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        live.stop()


def _drawn(progress: Progress) -> Any:
    """One row: what, bar, state."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=progress.total, completed=progress.done, width=24)
    row.add_row(Text(progress.what, no_wrap=True), bar, Text(progress.state, no_wrap=True))
    return row


def _minutes(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:00"
