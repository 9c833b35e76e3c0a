# SPDX-License-Identifier: MIT
"""FineWeb-Edu, sample-100BT, through the ``datasets`` library: for people with a network."""

import lzma
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.train.data.manifest import Source, describe
from glintfpga.train.data.streams import Progress

__all__ = ["LICENSE", "ORIGIN", "fetch_fineweb"]

_REPOSITORY, _SAMPLE = "HuggingFaceFW/fineweb-edu", "sample-100BT"
LICENSE = "ODC-By 1.0, and the terms of use of Common Crawl"
ORIGIN = f"{_REPOSITORY}, {_SAMPLE}, in its order"
_SHARD_BYTES = 1 << 26
_BLANK_LINES = re.compile(r"\n\s*\n")


def fetch_fineweb(
    folder: Path, wanted: int, *, added_by: str, progress: Progress | None = None
) -> list[Source]:
    """Write the first ``wanted`` bytes of text as files of about 64 MiB, and describe them.

    A web page is a document. Raises ``EnvironmentProblem`` when ``datasets`` is not installed, the
    data set cannot be had or the folder cannot be written to; finished files stay.
    """
    try:
        import datasets
    except ImportError as error:
        raise EnvironmentProblem(
            "the Python package 'datasets' is not installed; run: pip install 'glintfpga[data]'"
        ) from error
    sources = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = datasets.load_dataset(_REPOSITORY, _SAMPLE, split="train", streaming=True)
        for number, shard in enumerate(_shards(rows, wanted, progress)):
            path = folder / f"fineweb-edu-{number:05}.txt.xz"
            write_atomic(path, lzma.compress(shard, preset=3))
            sources.append(
                describe(folder, path, licence=LICENSE, origin=ORIGIN, added_by=added_by)
            )
    except EnvironmentProblem:
        raise
    except InputError as error:
        raise EnvironmentProblem(str(error)) from error
    # Any library of the network may raise; what they share is that the text is not there.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise EnvironmentProblem(
            f"cannot fetch {_REPOSITORY!r} into {os.fspath(folder)!r}: {type(error).__name__}: "
            f"{reason}; check the network and the space on the disk"
        ) from error
    return sources


def _shards(
    rows: Iterable[dict[str, Any]], wanted: int, progress: Progress | None
) -> Iterator[bytes]:
    held: list[bytes] = []
    size = done = 0
    for row in rows:
        text = _BLANK_LINES.sub("\n", row["text"].strip()).encode()
        held.append(text)
        size += len(text)
        done += len(text)
        if progress:
            progress(min(done, wanted), wanted)
        if size >= _SHARD_BYTES or done >= wanted:
            yield b"\n\n".join(held) + b"\n"
            held, size = [], 0
        if done >= wanted:
            return
    if held:
        yield b"\n\n".join(held) + b"\n"
