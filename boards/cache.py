# SPDX-License-Identifier: MIT
"""Results of build steps, cached by the content of their inputs."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import DRAFT, draft_folder
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["Cache", "StepResult", "digest_of", "file_digest"]

_RECORD = "step.json"


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """Files of a finished step."""

    folder: Path
    digests: Mapping[str, str]
    """sha256 of each file."""
    seconds: float
    """How long the step took when it ran."""
    cached: bool

    def path(self, name: str) -> Path:
        """A file of the step."""
        return self.folder / name

    def json(self, name: str) -> Any:
        """A JSON file of the step."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))


class Cache:
    """Folder of finished steps: ``<folder>/<step>/<key>/``.

    A step writes into a draft, a temporary folder that is renamed when it is complete, so a build
    that was killed leaves nothing that could be mistaken for a result. Of each step, the ``keep``
    results that were used last stay.
    """

    def __init__(self, folder: Path, *, keep: int = 6):
        self.folder = folder
        self.keep = keep

    def step(self, name: str, inputs: Sequence[str], make: Callable[[Path], None]) -> StepResult:
        """The files that ``make`` writes into the folder it is given.

        They are taken from an earlier run when that had the same ``inputs`` and its files are
        whole.
        """
        key = digest_of(name, *inputs)[:24]
        folder = self.folder / name / key
        result = self._finished(folder)
        if result is not None:
            return result
        with draft_folder(folder) as draft:
            start = time.monotonic()
            make(draft)
            seconds = round(time.monotonic() - start, 3)
            digests = {path.name: file_digest(path) for path in sorted(draft.iterdir())}
            record = {"step": name, "inputs": list(inputs), "seconds": seconds, "files": digests}
            (draft / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            if folder.exists():
                shutil.rmtree(folder)
            draft.rename(folder)
        self._prune(folder.parent)
        return StepResult(folder=folder, digests=digests, seconds=seconds, cached=False)

    def remove_drafts(self) -> None:
        """Remove what builds that were killed have left; only while no other build runs here."""
        for draft in self.folder.glob(f"*/{DRAFT}*"):
            shutil.rmtree(draft, ignore_errors=True)

    def _finished(self, folder: Path) -> StepResult | None:
        try:
            record = parse_object((folder / _RECORD).read_bytes())
            digests, seconds = record["files"], record["seconds"] * 1.0  # a TypeError for a text
            found = {name: file_digest(folder / name) for name in digests}
        except (OSError, KeyError, TypeError, ValueError, OverflowError, InputError):
            return None
        if found != digests:
            return None
        os.utime(folder)
        return StepResult(folder=folder, digests=digests, seconds=seconds, cached=True)

    def _prune(self, folder: Path) -> None:
        """Remove the results of a step that were not used for the longest time."""
        finished = [path for path in folder.iterdir() if not path.name.startswith(DRAFT)]
        finished.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in finished[self.keep :]:
            shutil.rmtree(path, ignore_errors=True)


def digest_of(*parts: str) -> str:
    """sha256 of a list of texts, with the length of each."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode()
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
