# SPDX-License-Identifier: MIT
"""The corpus of a training and the scores of a checkpoint, for several commands."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from glintfpga.host.console.progress import counting
from glintfpga.quant.errors import InputError

if TYPE_CHECKING:
    from glintfpga.quant.evaluation.rows import Score
    from glintfpga.train.data.corpus import Corpus
    from glintfpga.train.run.worker import Sources

__all__ = [
    "cores",
    "find_sources",
    "open_streams",
    "reviewed",
    "scored",
]

_SCORED_BYTES = 1 << 16


def find_sources(
    manifest: Path | None, folder: Path | None, selection: tuple[Path, ...]
) -> "Sources":
    """The sources of these options; without a manifest that of Python's documentation."""
    from glintfpga.quant.files.cache_folder import make_cache_dir
    from glintfpga.train.data.python_docs import python_manifest
    from glintfpga.train.run.worker import Sources

    cache = make_cache_dir()
    if manifest is None:
        if folder is not None:
            raise InputError("--data says where a manifest's files lie: give --manifest too")
        with counting("reading Python's documentation", 1) as show:
            manifest = python_manifest(
                cache, progress=lambda done, total: show(done / max(total, 1))
            )
    return Sources(manifest=manifest, folder=folder, cache=cache, selection=selection)


def reviewed(sources: "Sources", *, named: bool, unreviewed: bool) -> bool:
    """Whether a second person has signed the text and the check passed.

    Raises ``InputError`` with the reasons when not, unless told ``unreviewed`` or no manifest was
    ``named``: Python's documentation has no reviewer.
    """
    from glintfpga.train.data.gate import checked

    verdict = checked(sources.manifest, folder=sources.folder)
    if not (verdict.passed or unreviewed or not named):
        raise InputError(
            f"{str(sources.manifest)!r} is refused: {'; '.join(verdict.reasons)}; or train with "
            "--unreviewed, and the model card says so first"
        )
    return verdict.passed


def open_streams(sources: "Sources", keep_fraction: float) -> "Corpus":
    """The corpus of the sources; the first time it is made, which takes some seconds.

    Of a share ``keep_fraction`` below 1, its documents are ranked before.
    """
    if keep_fraction < 1:
        with counting("ranking the documents", 1) as show:
            sources.easiest(keep_fraction, progress=lambda done, total: show(done / max(total, 1)))
    with counting("reading the text", 1) as show:
        return sources.corpus(
            keep_fraction, progress=lambda done, total: show(done / max(total, 1))
        )


def scored(path: Path, texts: dict[str, bytes], *, plan: int | None, lanes: int) -> "list[Score]":
    """Byte perplexity in windows over the first 64 KiB of each text: float, and fixed if asked.

    PyTorch computes that of a shape for software only.
    """
    import numpy as np

    from glintfpga.host.models import warn_of
    from glintfpga.quant.blink.checkpoint import read_checkpoint
    from glintfpga.quant.blink.plan import plan_of
    from glintfpga.quant.blink.quantize import quantize
    from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer
    from glintfpga.quant.evaluation.perplexity import windows
    from glintfpga.quant.evaluation.scorer import Scorer
    from glintfpga.train.engine.choice import open_engine
    from glintfpga.train.engine.shape import Shape
    from glintfpga.train.run.model_files import read_model
    from glintfpga.train.run.scoring import byte_perplexity

    pieces = {name: text[:_SCORED_BYTES] for name, text in texts.items()}
    found = read_model(path)
    if isinstance(found.spec, Shape):
        engine = open_engine(found.spec)
        with counting("evaluating"):
            return [
                byte_perplexity(engine, found.vector, np.frombuffer(piece, "u1"), benchmark=name)
                for name, piece in pieces.items()
            ]
    checkpoint = read_checkpoint(path)
    scorers: dict[str, Scorer] = {"float": FloatScorer(checkpoint)}
    if plan is not None:
        model, report = quantize(checkpoint, plan=plan_of(plan), lanes=lanes)
        warn_of(report, path)
        scorers["fixed"] = FixedScorer(model, lanes=lanes)
    rows: list[Score] = []
    with counting("evaluating", len(scorers) * len(texts)) as show:
        for name, piece in pieces.items():
            for numerics, scorer in scorers.items():
                show(len(rows), f"{name}, {numerics}")
                rows.append(windows(scorer, piece, benchmark=name, numerics=numerics))
    return rows


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
