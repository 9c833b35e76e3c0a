# SPDX-License-Identifier: MIT
"""Makes the streams of a corpus, for the files of a manifest, and caches them."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glintfpga.quant.chat_template import END_OF_TEXT
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.atomic import cannot_write, draft_folder
from glintfpga.train.data.corpus import EOS, Corpus
from glintfpga.train.data.documents import are_dialogues, documents
from glintfpga.train.data.manifest import Manifest, Source, digest_of
from glintfpga.train.data.spacing import spaced

__all__ = ["HELD_OUT_OF", "Progress", "Selection", "all_documents", "open_corpus"]

HELD_OUT_OF = 100
"""One document of so many is held out."""

_FORMAT = "2"
_STREAMS = ("raw", "spaced", "raw-heldout", "spaced-heldout")
_RECORD = "corpus.json"

Progress = Callable[[int, int], None]
"""Called with bytes of files done and in all."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Some documents of a corpus, as `difficulty` chooses them."""

    name: str
    """Names everything that the choice depends on; part of the key of the streams in the cache."""
    kept: frozenset[int]
    """Numbers of documents, counted over all files from 0."""


def open_corpus(
    manifest: Manifest,
    *,
    cache: Path,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Map the streams of a manifest; make them first when the cache does not have them.

    Parameters
    ----------
    cache
        Folder that may be deleted at any time. It gets one folder per corpus, of about 4 bytes per
        byte of text.
    selection
        Documents to train on; those held out stay the same, so that results can be compared.

    Raises ``InputError`` when a file is missing, damaged or not the one of the manifest, or when
    there is no text, and ``EnvironmentProblem`` when the cache cannot be written to.
    """
    chosen = selection.name if selection else ""
    parts = [_FORMAT, chosen, *(source.sha256 for source in manifest.sources)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    folder = cache / "corpus" / digest[:24]
    corpus = _mapped(folder)
    if corpus is None:
        _build(folder, manifest, digest, selection, progress)
        corpus = _mapped(folder)
    if corpus is None:
        raise EnvironmentProblem(f"cannot keep streams in {os.fspath(folder)!r}: free some space")
    return corpus


def _mapped(folder: Path) -> Corpus | None:
    """The corpus of a finished folder; ``None`` when it is missing or not whole."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        streams = {}
        for name in _STREAMS:
            path, size = folder / f"{name}.u16", record["ids"][name]
            if path.stat().st_size != 2 * size:
                return None
            # A plain array over the map: np.memmap would make every slice a slow subclass. An
            # empty file cannot be mapped.
            mapped = np.memmap(path, "<u2", "r") if size else np.zeros(0, "<u2")
            streams[name.replace("-", "_")] = np.asarray(mapped)
        spans = {name: (int(start), int(stop)) for name, (start, stop) in record["spans"].items()}
        return Corpus(
            **streams, spans=spans, documents=record["documents"], digest=record["digest"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _build(
    folder: Path,
    manifest: Manifest,
    digest: str,
    selection: Selection | None,
    progress: Progress | None,
) -> None:
    with draft_folder(folder) as draft:
        record = {"digest": digest, **_write_streams(draft, manifest, selection, progress)}
        (draft / _RECORD).write_text(json.dumps(record) + "\n", encoding="utf-8")
        try:
            _put_in_place(draft, folder)
        except OSError as error:
            raise cannot_write(f"in {str(folder.parent)!r}", error) from error


def _put_in_place(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        # It is there already: damaged, or another process was faster.
        if _mapped(folder) is None:
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                folder.unlink(missing_ok=True)
            draft.rename(folder)


def _write_streams(
    draft: Path, manifest: Manifest, selection: Selection | None, progress: Progress | None
) -> dict[str, object]:
    ids = dict.fromkeys(_STREAMS, 0)
    spans: dict[str, list[int]] = {}
    trained = 0
    files = {name: (draft / f"{name}.u16").open("wb") for name in _STREAMS}
    try:
        for number, (source, document) in enumerate(all_documents(manifest, progress)):
            held_out = number % HELD_OUT_OF == HELD_OUT_OF - 1
            if selection and not held_out and number not in selection.kept:
                continue
            trained += not held_out
            suffix = "-heldout" if held_out else ""
            forms, before = {"raw": document.split(END_OF_TEXT)}, ids["spaced"]
            if not are_dialogues(source.file):
                forms["spaced"] = [spaced(document.decode()).encode()]
            for form, texts in forms.items():
                for text in texts:
                    stream = np.append(np.frombuffer(text, np.uint8).astype("<u2"), np.uint16(EOS))
                    files[form + suffix].write(stream.tobytes())
                    ids[form + suffix] += len(stream)
            if "spaced" in forms and not held_out:
                spans.setdefault(source.file, [before, 0])[1] = ids["spaced"]
    finally:
        for file in files.values():
            file.close()
    if not trained:
        raise InputError("the manifest has no documents to train on: add text")
    return {"ids": ids, "spans": spans, "documents": trained}


def all_documents(
    manifest: Manifest, progress: Progress | None = None
) -> Iterator[tuple[Source, bytes]]:
    """Yield the documents of all files of a manifest, in order, each with its source.

    Raises ``InputError`` when a file is missing, damaged or not the one of the manifest.
    """
    total, done = sum(source.bytes for source in manifest.sources), 0
    for source in manifest.sources:
        path = manifest.path(source)
        if digest_of(path) != (source.bytes, source.sha256):
            raise InputError(
                f"{os.fspath(path)!r} is not the file of the manifest: its sha256 differs"
            )
        for document in documents(path):
            yield source, document
        done += source.bytes
        if progress:
            progress(done, total)
