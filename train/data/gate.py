# SPDX-License-Identifier: MIT
"""The gate: conditions on a corpus before it is trained on, and the record of the check.

A check reads every document of a manifest and counts documents from files that are not those of
the manifest, exact and near duplicates (`duplicates`), and documents that share words with the
evaluation sets (`overlap`). Its record, ``NAME.check.json`` beside ``NAME.json``, names the sha256
of the manifest it belongs to. It guards against mistakes, not against a forger.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.sets import find_sets, read_set
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.bounded import read_limited
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.train.data.documents import documents
from glintfpga.train.data.duplicates import DuplicateFinder
from glintfpga.train.data.manifest import Manifest, digest_of, read_manifest
from glintfpga.train.data.overlap import EvaluationIndex, passages
from glintfpga.train.data.streams import Progress
from glintfpga.train.data.words import word_hashes

__all__ = ["MOST_REPEATED", "Check", "Verdict", "check", "checked", "record_path"]

MOST_REPEATED = 0.01
"""Share of documents that may repeat an earlier one."""

_VERSION = 1
_EXAMPLES = 20
_MAX_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a manifest may be trained on without ``--unreviewed``."""

    passed: bool
    reasons: tuple[str, ...]
    """Why not, one line each."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a check found. Documents are counted over all files."""

    version: int
    manifest_sha256: str
    evaluation: Mapping[str, str]
    """Evaluation set -> sha256 of its file."""
    documents: int
    bytes: int
    foreign: int
    """Documents of files that are not those of the manifest."""
    exact_duplicates: int
    near_duplicates: int
    overlaps: Mapping[str, int]
    """Evaluation set -> documents that share words with it."""
    unreviewed: tuple[str, ...]
    """Files that no second person has signed."""
    examples: tuple[str, ...]
    """The first findings: ``file#number``, numbers from 0, and what was found."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the corpus is refused; empty when it is not."""
        found = []
        if self.unreviewed:
            found.append(
                f"a second person's sign-off is missing for {len(self.unreviewed)} of its "
                f"sources, as {self.unreviewed[0]!r}: run glintfpga data sign"
            )
        if self.foreign:
            found.append(
                f"{self.foreign} documents are not from the source stated: its sha256 differs"
            )
        if not self.documents:
            found.append("there are no documents")
        repeated = self.exact_duplicates + self.near_duplicates
        if repeated > MOST_REPEATED * self.documents:
            found.append(
                f"{repeated} of {self.documents} documents repeat an earlier one, more than "
                f"{MOST_REPEATED:.0%}: remove them"
            )
        for name, count in self.overlaps.items():
            found.append(f"{count} documents share words with {name!r}: remove them")
        if not self.evaluation:
            found.append("overlap was not looked for: name evaluation sets with --eval")
        return tuple(found)

    @property
    def verdict(self) -> Verdict:
        """Passed when there is no reason against it."""
        return Verdict(passed=not self.reasons, reasons=self.reasons)


def check(
    path: Path,
    *,
    folder: Path | None = None,
    evaluation: Path | None = None,
    progress: Progress | None = None,
) -> Check:
    """Check the manifest at ``path``, write the record beside it and return what was found.

    ``evaluation`` is a folder of evaluation sets or one file. Sets whose name ends in
    ``-heldout`` are left out: a part of the training sources that was held out shares their
    boilerplate. Raises ``InputError`` when the manifest or a file cannot be read.
    """
    manifest = read_manifest(path, folder=folder)
    files = [] if evaluation is None else find_sets(evaluation)
    sets = [file for file in files if not file.name.split(".")[0].endswith("-heldout")]
    index = EvaluationIndex({file.name: passages(read_set(file)) for file in sets})
    finder = DuplicateFinder()
    names: list[str] = []
    size = foreign = 0
    shared: list[tuple[int, str]] = []
    for name, document, from_source in _documents(manifest, progress):
        words = word_hashes(document)
        finder.add(words)
        overlapping = index.overlaps(words)
        if overlapping is not None:
            shared.append((len(names), overlapping))
        names.append(name)
        size += len(document)
        foreign += not from_source
    exact, near = finder.exact(), finder.near()
    lines = [f"{names[number]}: shares words with {found}" for number, found in shared]
    for kind, pairs in (("equals", exact), ("resembles", near)):
        lines += [f"{names[later]}: {kind} {names[earlier]}" for later, earlier in pairs]
    found = Check(
        version=_VERSION,
        manifest_sha256=_sha256(path),
        evaluation={file.name: digest_of(file)[1] for file in sets},
        documents=len(names),
        bytes=size,
        foreign=foreign,
        exact_duplicates=len(exact),
        near_duplicates=len(near),
        overlaps=dict(Counter(overlapping for _, overlapping in shared)),
        unreviewed=tuple(source.file for source in manifest.sources if not source.reviewed),
        examples=tuple(lines[:_EXAMPLES]),
    )
    write_atomic(record_path(path), (json.dumps(asdict(found), indent=2) + "\n").encode())
    return found


def checked(path: Path, *, folder: Path | None = None) -> Verdict:
    """Whether the manifest at ``path`` passed a check that belongs to it, and its files are there.

    Raises ``InputError`` when the manifest cannot be read.
    """
    manifest = read_manifest(path, folder=folder)
    record = record_path(path)
    try:
        found = _read(record)
    except InputError as error:
        return _refused(f"{error}: run glintfpga data check")
    if found.manifest_sha256 != _sha256(path):
        return _refused(f"{os.fspath(record)!r} is of another manifest: run glintfpga data check")
    for source in manifest.sources:
        try:
            same = digest_of(manifest.path(source)) == (source.bytes, source.sha256)
        except InputError as error:
            return _refused(str(error))
        if not same:
            return _refused(f"{source.file!r} is not the file that was checked: its sha256 differs")
    return found.verdict


def record_path(path: Path) -> Path:
    """Where the check of a manifest is recorded."""
    return path.with_name(f"{path.name.removesuffix('.json')}.check.json")


def _refused(reason: str) -> Verdict:
    return Verdict(passed=False, reasons=(reason,))


def _documents(manifest: Manifest, progress: Progress | None) -> Iterator[tuple[str, bytes, bool]]:
    """Name, text, and whether the file is that of the manifest."""
    total, done = sum(source.bytes for source in manifest.sources), 0
    for source in manifest.sources:
        path = manifest.path(source)
        right = digest_of(path) == (source.bytes, source.sha256)
        for number, document in enumerate(documents(path)):
            yield f"{source.file}#{number}", document, right
        done += source.bytes
        if progress:
            progress(done, total)


def _read(path: Path) -> Check:
    if not path.exists():
        raise InputError(f"there is no check {os.fspath(path)!r}")
    data = read_limited(path, _MAX_BYTES, "the check")
    try:
        return Check(**_typed(parse_object(data)))
    except (InputError, TypeError) as error:
        raise InputError(f"{os.fspath(path)!r} is no record of a check") from error


_TYPES: Mapping[str, type] = {
    "version": int,
    "manifest_sha256": str,
    "evaluation": dict,
    "documents": int,
    "bytes": int,
    "foreign": int,
    "exact_duplicates": int,
    "near_duplicates": int,
    "overlaps": dict,
    "unreviewed": list,
    "examples": list,
}


def _typed(fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields.get("version") != _VERSION or set(fields) != set(_TYPES):
        raise InputError("another version")
    if any(type(fields[name]) is not kind for name, kind in _TYPES.items()):
        raise InputError("a field of another type")
    tuples = {name: tuple(fields[name]) for name, kind in _TYPES.items() if kind is list}
    return {**fields, **tuples}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
