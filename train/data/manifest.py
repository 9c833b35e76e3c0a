# SPDX-License-Identifier: MIT
"""The manifest: which files a corpus is made of, where they come from, and who answers for them.

JSON, usually beside the files::

    {"version": 1, "sources": [{"file": "novels.txt.xz", "bytes": 4367796,
      "licence": "public domain", "origin": "a repository, its path and commit",
      "sha256": "ca27...", "added_by": "one person", "reviewer": "a second person"}]}

``bytes`` and ``sha256`` are of the file as it lies there. A reviewer signs these bytes: an entry
whose file has changed counts as unreviewed. ``added_by`` and ``reviewer`` may be empty.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.bounded import cannot_read, read_limited
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.train.data.documents import SUFFIXES

__all__ = [
    "Manifest",
    "Source",
    "describe",
    "digest_of",
    "read_manifest",
    "sign",
    "with_sources",
    "write_manifest",
]

VERSION = 1
_MAX_BYTES = 1 << 24
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a corpus. Raises ``InputError`` for a field that cannot be right."""

    file: str
    """Path below the folder of the files, with ``/``."""
    bytes: int
    licence: str
    """Spelled as in the manifests and the model cards that exist."""
    origin: str
    sha256: str
    added_by: str = ""
    reviewer: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = int if field.name == "bytes" else str
            if type(value) is not wanted:
                raise InputError(f"{field.name!r} must be {wanted.__name__}, not {value!r:.60}")
        path = PurePosixPath(self.file)
        plain = not path.is_absolute() and ".." not in path.parts and path.parts
        if not plain or set(self.file) & set("\\:\0"):
            raise InputError(f"file {self.file!r:.80} must be a path below the manifest's folder")
        if not self.file.endswith(SUFFIXES):
            raise InputError(
                f"file {self.file!r:.80} is no text: name a .txt, .txt.xz, .jsonl or .jsonl.xz file"
            )
        if self.bytes < 0:
            raise InputError(f"'bytes' of {self.file!r} must not be negative: {self.bytes}")
        if len(self.sha256) != 64 or not set(self.sha256) <= _HEX:
            raise InputError(f"'sha256' of {self.file!r} is not 64 hex digits: {self.sha256!r:.80}")

    @property
    def reviewed(self) -> bool:
        """Whether a second person has signed."""
        reviewer = self.reviewer.strip()
        return bool(reviewer) and reviewer.casefold() != self.added_by.strip().casefold()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The sources of a corpus and the folder that their names refer to."""

    folder: Path
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        names = [source.file for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"file {twice[0]!r} appears twice in the manifest: remove one")

    def path(self, source: Source) -> Path:
        """Where a source lies. Raises ``InputError`` when a link leads out of the folder."""
        path = self.folder / source.file
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise InputError(f"file {source.file!r} leads out of {os.fspath(self.folder)!r}")
        return path

    def to_bytes(self) -> bytes:
        """The JSON text."""
        data = {"version": VERSION, "sources": [asdict(source) for source in self.sources]}
        return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def read_manifest(path: Path, *, folder: Path | None = None) -> Manifest:
    """Read and check a manifest; its files lie in its own folder, or in ``folder``.

    Raises ``InputError`` naming the file and what is wrong.
    """
    data = read_limited(path, _MAX_BYTES, "the manifest")
    try:
        return Manifest(folder=folder or path.parent, sources=tuple(_sources(data)))
    except InputError as error:
        raise InputError(f"manifest {os.fspath(path)!r}: {error}") from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the JSON; the file appears whole or not at all. Raises ``EnvironmentProblem``."""
    write_atomic(path, manifest.to_bytes())


def describe(folder: Path, path: Path, *, licence: str, origin: str, added_by: str) -> Source:
    """The entry of a file below ``folder``, not reviewed yet. Raises ``InputError``."""
    try:
        name = path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise InputError(
            f"{os.fspath(path)!r} is not below the manifest's folder {os.fspath(folder)!r}: "
            "move one of them"
        ) from None
    size, sha256 = digest_of(path)
    return Source(
        file=name, bytes=size, licence=licence, origin=origin, sha256=sha256, added_by=added_by
    )


def with_sources(manifest: Manifest, new: Iterable[Source]) -> Manifest:
    """Put entries in, in place of those of the same file."""
    entries = {source.file: source for source in manifest.sources}
    entries.update({source.file: source for source in new})
    return replace(manifest, sources=tuple(entries.values()))


def sign(manifest: Manifest, names: Iterable[str], reviewer: str) -> Manifest:
    """Enter a reviewer for the named files, whose bytes must be those of the manifest.

    Raises ``InputError`` for an unknown file, a changed file, or a reviewer who added the file.
    """
    wanted = set(names)
    unknown = sorted(wanted - {source.file for source in manifest.sources})
    if unknown:
        raise InputError(f"file {unknown[0]!r} is not in the manifest: add it first")
    signed = []
    for source in manifest.sources:
        if source.file in wanted:
            source = replace(source, reviewer=reviewer)
            if not source.reviewed:
                raise InputError(f"{reviewer!r} cannot sign {source.file!r}: ask a second person")
            if digest_of(manifest.path(source)) != (source.bytes, source.sha256):
                raise InputError(f"file {source.file!r} has changed since it was added: add it")
        signed.append(source)
    return replace(manifest, sources=tuple(signed))


def digest_of(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file. Raises ``InputError`` when it cannot be read."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), sha256
    except OSError as error:
        raise cannot_read(repr(os.fspath(path)), error) from error


def _sources(data: bytes) -> list[Source]:
    content = parse_object(data)
    if set(content) != {"version", "sources"}:
        raise InputError("it must be an object with 'version' and 'sources' alone")
    if content["version"] != VERSION or type(content["version"]) is not int:
        raise InputError(f"'version' must be {VERSION}, not {content['version']!r:.60}")
    if not isinstance(content["sources"], list):
        raise InputError(f"'sources' must be a list, not {content['sources']!r:.60}")
    return [_source(entry) for entry in content["sources"]]


def _source(entry: Any) -> Source:
    names = {field.name for field in fields(Source)}
    if not isinstance(entry, dict):
        raise InputError(f"a source must be an object, not {entry!r:.60}")
    unknown = sorted(set(entry) - names)
    missing = sorted(names - {"added_by", "reviewer"} - set(entry))
    if unknown or missing:
        what = f"unknown field {unknown[0]!r:.60}" if unknown else f"no field {missing[0]!r}"
        raise InputError(f"a source has {what}")
    return Source(**entry)
