# SPDX-License-Identifier: MIT
"""A step of a build, and how it reports progress."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glintfpga.boards.cache import StepResult
from glintfpga.boards.toolchain import FIRST_RUN

__all__ = ["OnProgress", "PhaseReporter", "Results", "Step"]

OnProgress = Callable[[str, float], None]
"""Called with what is being done and the share of the step that is done."""
Results = Mapping[str, StepResult]
"""Of the steps before, by name."""

_REPORT_STEP = 0.005
"""Smaller advances within a phase are not reported."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a build, which `boards.build` runs through the cache."""

    name: str
    inputs: Callable[[Results], Sequence[str]]
    """Texts that the files of the step depend on."""
    make: Callable[[Path, Results, OnProgress], None]
    """Writes the files into a folder."""


class PhaseReporter:
    """Reports the progress of a tool from the lines it prints.

    ``phases`` are (text in the first line, name, share done at its start, lines until the next).
    """

    def __init__(self, phases: Sequence[tuple[str, str, float, int]], on_progress: OnProgress):
        self._phases = phases
        self._on_progress = on_progress
        self._at = -1
        self._lines = 0
        self._last_reported = 0.0

    def __call__(self, line: str) -> None:
        if line.startswith(FIRST_RUN):
            self._on_progress(line, 0.0)
        self._lines += 1
        for number in range(self._at + 1, len(self._phases)):
            pattern, detail, fraction, _ = self._phases[number]
            if pattern in line:
                self._at, self._lines, self._last_reported = number, 0, fraction
                self._on_progress(detail, fraction)
                return
        if self._at >= 0:
            self._report_lines()

    def _report_lines(self) -> None:
        following = [fraction for _, _, fraction, _ in self._phases[self._at + 1 :]]
        _, detail, fraction, lines = self._phases[self._at]
        share = min(1.0, self._lines / lines)
        reached = fraction + share * ((following or [1.0])[0] - fraction)
        if reached - self._last_reported >= _REPORT_STEP:
            self._last_reported = reached
            self._on_progress(detail, reached)
