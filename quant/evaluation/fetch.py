# SPDX-License-Identifier: MIT
"""The public evaluation sets, through the ``datasets`` library, as the files of `sets`."""

import json
import lzma
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.evaluation.wikitext import detokenized, leaderboard_text
from glintfpga.quant.files.atomic import write_atomic

__all__ = ["fetch_sets"]

_WIKITEXT = ("Salesforce/wikitext", "wikitext-2-raw-v1")
_PAGES = ("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1")
_BLIMP = "nyu-mll/blimp"
_ARC = ("allenai/ai2_arc", "ARC-Easy")

Rows = Iterable[Mapping[str, Any]]


def fetch_sets(folder: Path, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the sets that ``folder`` does not have yet: WikiText-2, BLiMP and ARC-Easy.

    Raises ``EnvironmentProblem`` when ``datasets`` is not installed, a set cannot be had, or the
    folder cannot be written to. A file appears whole or not at all.
    """
    try:
        import datasets
    except ImportError as error:
        raise EnvironmentProblem(
            "the Python package 'datasets' is not installed; run: pip install 'glintfpga[data]'"
        ) from error
    wanted = {
        name: make for name, make in _makers(datasets).items() if not (folder / name).exists()
    }
    for number, (name, make) in enumerate(wanted.items()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / name, lzma.compress(make().encode()))
        # Any library of the network may raise; what they share is that the set is not there.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise EnvironmentProblem(
                f"cannot fetch {name!r} into {os.fspath(folder)!r}: {type(error).__name__}: "
                f"{reason}; check the network, or put the file there"
            ) from error
        if progress:
            progress(number + 1, len(wanted))


def _makers(datasets: Any) -> dict[str, Callable[[], str]]:
    def rows(path: str, name: str, split: str) -> Rows:
        return datasets.load_dataset(path, name, split=split)

    def text(split: str) -> str:
        return leaderboard_text([row["text"] for row in rows(*_WIKITEXT, split)])

    def pages(split: str) -> str:
        found = (row["page"] for row in rows(*_PAGES, split))
        return _objects({"page": page, "text": detokenized(page)} for page in found)

    def pairs() -> Iterator[Mapping[str, Any]]:
        for paradigm in datasets.get_dataset_config_names(_BLIMP):
            yield from rows(_BLIMP, paradigm, "train")

    def questions(split: str) -> str:
        return _objects(rows(*_ARC, split))

    makers: dict[str, Callable[[], str]] = {"blimp.jsonl.xz": lambda: _objects(pairs())}
    for short, split in (("test", "test"), ("valid", "validation")):
        makers[f"wikitext2-{short}.txt.xz"] = partial(text, split)
        makers[f"wikitext2-{short}-docs.jsonl.xz"] = partial(pages, split)
        makers[f"arc-easy-{short}.jsonl.xz"] = partial(questions, split)
    return makers


def _objects(rows: Rows) -> str:
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
