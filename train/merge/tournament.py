# SPDX-License-Identifier: MIT
"""A tournament of checkpoints: score all, merge the best, keep what beats the best, and again.

Merges are spherical interpolations of every pair of the field, at a quarter, half and three
quarters of the way, after alignment (`train.merge.align`). Each is scored by a process of its own
with a time limit; one that hangs or fails is recorded and drops out.
"""

import itertools
import json
import math
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glintfpga.quant.blink.checkpoint import read_checkpoint, write_checkpoint
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import cannot_write, write_atomic
from glintfpga.train.merge.slerp import between

__all__ = ["STEPS", "Bracket", "Entry", "play", "scored_in_time"]

STEPS = (0.25, 0.5, 0.75)
"""Where on the way between two parents merges are made."""

_LEAST_GAIN = 1e-6
"""Nats per byte. Averages of ever closer neighbors would gain less and less forever."""

ScoreCommand = Callable[[Path], list[str]]
"""The command line that writes the score of a checkpoint to stdout; lower is better."""
Progress = Callable[[int, int, int], None]
"""Called with the round, and the scores done and wanted of it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One checkpoint of the tournament."""

    name: str
    path: str
    round: int
    """0: trained; n: merged in round n."""
    parents: tuple[str, ...] = ()
    t: float | None = None
    """Share of the way from the first parent to the second."""
    score: float | None = None
    """Nats per byte; None where there was no score."""
    outcome: str = ""
    """``field``, ``out``, ``kept``, or why there is no score."""


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """All entries, in the order they came, and the name of the winner."""

    entries: tuple[Entry, ...]
    winner: str

    def __getitem__(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        entries = [asdict(entry) for entry in self.entries]
        for entry in entries:
            entry["fate"] = entry.pop("outcome")  # the name in files that exist
        return {"winner": self.winner, "entries": entries}


def play(
    checkpoints: Sequence[Path],
    score_command: ScoreCommand,
    folder: Path,
    *,
    top: int = 4,
    limit_s: float = 120.0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Bracket:
    """Play until a round brings nothing better than the best of its field.

    Merges lie in ``folder``, with ``bracket.json`` and the winner as ``champion.safetensors``.
    Raises ``InputError`` when no checkpoint gets a score, ``EnvironmentProblem`` when the folder
    cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(repr(str(folder)), error) from error
    scoring = _Scoring(score_command, limit_s, workers, progress)
    trained = [Entry(name=path.stem, path=str(path), round=0) for path in sorted(checkpoints)]
    scored = scoring.score(0, trained)
    field = _best(scored, top)
    if not field:
        reasons = scored[0].outcome if scored else "there is none"
        raise InputError(f"no checkpoint could be scored ({reasons:.200}): nothing to merge")
    scoring.enter(scored, {entry.name: "field" for entry in field})
    tried: set[frozenset[str]] = set()
    for number in itertools.count(1):
        pairs = [
            pair
            for pair in itertools.combinations(field, 2)
            if frozenset(entry.name for entry in pair) not in tried
        ]
        tried |= {frozenset(entry.name for entry in pair) for pair in pairs}
        merges = scoring.score(number, list(_merges(pairs, number, folder)))
        best = _value(field[0])
        kept = [entry for entry in merges if _value(entry) < best - _LEAST_GAIN]
        scoring.enter(merges, {entry.name: "kept" for entry in kept})
        if not kept:
            break
        field = _best([*field, *kept], top)
    bracket = Bracket(entries=tuple(scoring.entries), winner=field[0].name)
    write_atomic(folder / "champion.safetensors", Path(field[0].path).read_bytes())
    write_atomic(folder / "bracket.json", (json.dumps(bracket.to_json(), indent=1) + "\n").encode())
    return bracket


def scored_in_time(command: Sequence[str], limit_s: float) -> tuple[float | None, str]:
    """The number a process writes to stdout; or None, and why.

    A process that is not done after ``limit_s`` seconds is killed.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return None, f"hung: killed after {limit_s:g} s"
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return None, f"failed: {lines[-1] if lines else f'exit code {done.returncode}'}"[:300]
    try:
        value = float(done.stdout)
    except ValueError:
        return None, f"failed: no score but {done.stdout!r:.60}"
    return (value, "") if math.isfinite(value) else (None, f"failed: the score is {value!r}")


class _Scoring:
    """Collects entries and has them scored."""

    def __init__(
        self, score_command: ScoreCommand, limit_s: float, workers: int, progress: Progress | None
    ) -> None:
        self.entries: list[Entry] = []
        self._score_command = score_command
        self._limit_s = limit_s
        self._workers = workers
        self._progress = progress

    def score(self, number: int, entries: Sequence[Entry]) -> list[Entry]:
        """The entries with their scores, or why they have none."""
        scored = []
        # Threads, because all they do is wait for processes.
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                for done, entry in enumerate(pool.map(self._scored, entries), 1):
                    scored.append(entry)
                    if self._progress is not None:
                        self._progress(number, done, len(entries))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return scored

    def enter(self, entries: Iterable[Entry], outcomes: Mapping[str, str]) -> None:
        """Note the entries with their outcomes; the others that have a score are out."""
        for entry in entries:
            known = entry.outcome if entry.score is None else outcomes.get(entry.name, "out")
            self.entries.append(replace(entry, outcome=known))

    def _scored(self, entry: Entry) -> Entry:
        score, reason = scored_in_time(self._score_command(Path(entry.path)), self._limit_s)
        return replace(entry, score=score, outcome=reason)


def _merges(pairs: Sequence[tuple[Entry, Entry]], number: int, folder: Path) -> Iterable[Entry]:
    places = itertools.product(pairs, STEPS)
    for index, ((a, b), t) in enumerate(places):
        name = f"m{number}-{index:02d}"
        path = folder / f"{name}.safetensors"
        first, second = read_checkpoint(a.path), read_checkpoint(b.path)
        note = json.dumps({"merged": [a.name, b.name], "t": t, **_history(first.note)})
        write_checkpoint(path, between(first, second, t, note=note))
        yield Entry(name=name, path=str(path), round=number, parents=(a.name, b.name), t=t)


def _history(note: str) -> dict[str, Any]:
    """Tokens and config of a parent; those of a run are the same for all but the tokens."""
    try:
        facts = json.loads(note)
        return {"tokens": facts["tokens"], "config": facts["config"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _best(entries: Iterable[Entry], top: int) -> list[Entry]:
    with_score = [entry for entry in entries if entry.score is not None]
    return sorted(with_score, key=lambda entry: (_value(entry), entry.name))[:top]


def _value(entry: Entry) -> float:
    return math.inf if entry.score is None else entry.score
