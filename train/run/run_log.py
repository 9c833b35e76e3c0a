# SPDX-License-Identifier: MIT
"""The logs and scores of a run; `train.run.run` lists the files.

Reading them needs no text and no settings, so that a release can be made of a copied folder.
"""

import contextlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.bounded import read_limited
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.train.run.worker import Sources

__all__ = ["RunLog", "Scores", "Tails", "read_sources", "write_json", "write_sources"]

_TAIL_BYTES = 1024
_MAX_BYTES = 1 << 24

Scores = dict[int, dict[int, float]]
"""Nats per byte by stage and replica; lower is better."""


class RunLog:
    """What is noted in the run in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log(self, index: int) -> Path:
        """The log of a replica."""
        return self.folder / "state" / f"{index:02d}.log"

    def curves(self) -> dict[int, list[dict[str, float]]]:
        """The log of each replica: stage, tokens since its start, smoothed loss.

        Steps that a kill lost and a second start did again appear once.
        """
        curves = {}
        for path in sorted((self.folder / "state").glob("[0-9]*.log")):
            points: list[dict[str, float]] = []
            for line in _log_lines(path):
                if line.get("loss") is None:
                    continue
                while points and points[-1]["tokens"] >= line["tokens"]:
                    points.pop()
                points.append(line)
            curves[int(path.stem)] = points
        return curves

    def scores(self) -> Scores:
        """The scores so far; none before the first. ``InputError`` when they are damaged."""
        path = self.folder / "scores.json"
        if not path.exists():
            return {}
        try:
            return {
                int(stage): {int(index): float(score) for index, score in item.items()}
                for stage, item in _read_object(path).items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(f"damaged scores {str(path)!r} ({error}): delete it") from None

    def write_scores(self, scores: Scores) -> None:
        """Replace the scores."""
        data = {str(stage): {str(i): s for i, s in item.items()} for stage, item in scores.items()}
        write_json(self.folder / "scores.json", data)

    def machine(self) -> dict[str, Any]:
        """Processor, workers, and seconds of all scored replicas; empty when nothing is noted."""
        path = self.folder / "machine.json"
        return _read_object(path) if path.exists() else {}

    def add_seconds(self, seconds: float, workers: int) -> None:
        """Note time spent by this machine."""
        before = self.machine().get("seconds", 0.0)
        facts = {"processor": _processor(), "workers": workers, "seconds": before + seconds}
        write_json(self.folder / "machine.json", facts)


class Tails:
    """The ends of the logs of some replicas, while they grow."""

    def __init__(self, run_log: RunLog, members: list[int]) -> None:
        self._paths = {index: run_log.log(index) for index in members}
        self._seen = dict.fromkeys(members, "")
        self._known = {index: self._read(index) for index in members}
        self.retreats()

    def last(self) -> list[dict[str, Any]]:
        """The last whole line of each log."""
        self._known = {index: self._read(index) for index in self._paths}
        return [lines[-1] for lines in self._known.values() if lines]

    def retreats(self) -> dict[int, float]:
        """Replicas that went back, found by `last`, and their factors of the learning rate."""
        found = {}
        for index, lines in self._known.items():
            marks = [line for line in lines if "caution" in line]
            if marks and json.dumps(marks[-1]) != self._seen[index]:
                self._seen[index] = json.dumps(marks[-1])
                found[index] = float(marks[-1]["caution"])
        return found

    def _read(self, index: int) -> list[dict[str, Any]]:
        return list(_log_lines(self._paths[index], tail=_TAIL_BYTES))


def read_sources(folder: Path) -> Sources:
    """Where the text of a run is. ``InputError`` when it is not noted."""
    data = _read_object(folder / "sources.json")
    try:
        return Sources(
            manifest=Path(data["manifest"]),
            folder=Path(data["folder"]) if data["folder"] else None,
            cache=Path(data["cache"]),
            selection=tuple(Path(path) for path in data["selection"]),
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{str(folder / 'sources.json')!r} is damaged ({error})") from None


def write_sources(folder: Path, sources: Sources) -> None:
    """Note where the text of the run in ``folder`` is."""
    facts = {
        "manifest": str(sources.manifest.resolve()),
        "folder": str(sources.folder.resolve()) if sources.folder else None,
        "cache": str(sources.cache.resolve()),
        "selection": [str(path.resolve()) for path in sources.selection],
    }
    write_json(folder / "sources.json", facts)


def write_json(path: Path, data: dict[str, Any]) -> None:
    write_atomic(path, (json.dumps(data, indent=1) + "\n").encode())


def _read_object(path: Path) -> dict[str, Any]:
    data = read_limited(path, _MAX_BYTES)
    try:
        return parse_object(data)
    except InputError as error:
        raise InputError(f"{str(path)!r} is damaged ({error}): delete it") from error


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _log_lines(path: Path, *, tail: int | None = None) -> Iterator[dict[str, Any]]:
    """The whole lines of a log, or of its last bytes; one may be cut off by a kill."""
    try:
        with path.open("rb") as file:
            if tail is not None:
                file.seek(max(0, path.stat().st_size - tail))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found
