# SPDX-License-Identifier: MIT
"""Progress of long work on stderr: a bar on a terminal, a line now and then elsewhere.

A bar appears after `PATIENCE_S` and disappears at the end. The first line comes after 5 s, others
less and less often, see `lines_due`. With -q there is neither.
"""

import contextlib
import logging
import sys
import threading
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from typing import Any

from glintfpga.host.console.text import is_plain, one_line

__all__ = ["Progress", "Waiting", "counting", "lines_due"]

PATIENCE_S = 0.7
FIRST_LINES_S = (5.0, 15.0)
LINE_EVERY_S = 30.0
LOOK_S = 0.5
BELIEVED = 0.05
"""Least share of the whole that a phase must have covered for an estimate of the time left."""

_log = logging.getLogger("glintfpga")
_showing = threading.Lock()


class Progress:
    """The progress of one job, advanced by calls; ``what`` and ``total`` as in `counting`."""

    def __init__(self, what: str, total: float | None, *, clock: Callable[[], float]):
        self.what = one_line(what)
        self.total = total
        self._clock = clock
        self.done = self._phase_from = 0.0
        self._began = self._told = self._phase_began = clock()
        self._phase = ""
        self._detail = ""

    def __call__(self, done: float, detail: str = "", *, phase: str = "") -> None:
        """Set how much is done.

        ``detail`` is what happens now. The time left is estimated from the pace within a
        ``phase``, for jobs whose parts differ in pace or are skipped.
        """
        self._told = self._clock()
        if phase != self._phase:
            self._phase, self._phase_began, self._phase_from = phase, self._told, done
        self.done, self._detail = done, detail

    @property
    def seconds_left(self) -> float | None:
        """Estimated, None while there is no estimate."""
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

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began


def lines_due(seconds: float) -> int:
    """Number of lines due after so long: at 5 s, 15 s, 30 s, and then every 30 s."""
    return bisect(FIRST_LINES_S, seconds) + int(seconds / LINE_EVERY_S)


class _Lines:
    """Writes the lines that are due, whenever it is called."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._written = 0

    def __call__(self) -> None:
        due = lines_due(self._progress.seconds)
        if due > self._written:
            self._written = due
            _log.info("%s: %s", self._progress.what, self._progress.state)


class Waiting:
    """Lines, on a terminal too, for a loop that waits and calls this often with what is done.

    Parameters as of `counting`, within which nothing is shown.
    """

    def __init__(self, what: str, total: float | None = None):
        self._progress = Progress(what, total, clock=time.monotonic)
        self._lines = _Lines(self._progress)

    def __call__(self, done: float = 0) -> None:
        self._progress(done)
        if not _showing.locked():
            self._lines()


@contextlib.contextmanager
def counting(what: str, total: float | None = None) -> Iterator[Progress]:
    """Show how far ``what`` is while the block runs; call the result with 0..``total``.

    Without a total, only that it runs and for how long. Within another one nothing is shown.
    """
    clock = time.monotonic
    if not _log.isEnabledFor(logging.INFO) or _showing.locked():
        yield Progress(what, total, clock=clock)
    elif not (sys.stderr and sys.stderr.isatty()) or is_plain():
        progress = Progress(what, total, clock=clock)
        with _showing, _writing(progress):
            yield progress
    else:
        progress = Progress(what, total, clock=clock)
        with _showing, _bar(progress):
            yield progress


@contextlib.contextmanager
def _writing(progress: Progress) -> Iterator[None]:
    """Print lines while the block runs, even where it does not advance."""
    ended = threading.Event()
    lines = _Lines(progress)

    def write() -> None:
        while not ended.wait(LOOK_S):
            lines()

    thread = threading.Thread(target=write, name="glintfpga progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


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
