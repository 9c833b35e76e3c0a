# SPDX-License-Identifier: MIT
"""Documents ranked by how hard a small trained model finds them.

The measure is the model's mean surprise, in nats a byte, over 256 bytes from the middle of a
document. Tables, formulas, foreign scripts and damaged text come out hard; plain prose comes out
easy. What is kept is the easiest share, as a model of a thousand numbers has no room for the rest.
"""

from __future__ import annotations

import hashlib

import numpy as np

from glintfpga.quant.checkpoint import Checkpoint, FloatArray
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.losses import Passage, Progress, losses
from glintfpga.quant.evaluation.scorers import FloatScorer
from glintfpga.train.data.corpus import Selection, all_documents
from glintfpga.train.data.manifest import Manifest

__all__ = ["SAMPLE_BYTES", "difficulties", "easiest"]

SAMPLE_BYTES = 256


def difficulties(
    manifest: Manifest, checkpoint: Checkpoint, *, progress: Progress | None = None
) -> FloatArray:
    """Mean ``-ln P`` a byte of each document, (documents,), in the order of the manifest.

    A document of one byte has no byte to score and counts as infinitely hard. Raises
    ``InputError`` as ``corpus.all_documents`` does.
    """
    passages = [Passage(text=_middle(document)) for document in all_documents(manifest)]
    sums = losses(FloatScorer(checkpoint), passages, progress=progress)
    sizes = np.array([passage.scored for passage in passages], np.float64)
    return np.divide(sums, sizes, out=np.full(len(sums), np.inf), where=sizes > 0)


def easiest(
    manifest: Manifest,
    checkpoint: Checkpoint,
    *,
    percent: float,
    progress: Progress | None = None,
) -> Selection:
    """Keep the ``percent`` of documents that ``checkpoint`` finds easiest, at least one.

    Equally hard ones are kept in order. Raises ``InputError`` for a percentage outside (0, 100]
    and for files that cannot be read.
    """
    if not 0 < percent <= 100:
        raise InputError(f"the percentage to keep must be above 0 and at most 100, not {percent!r}")
    ranked = np.argsort(difficulties(manifest, checkpoint, progress=progress), kind="stable")
    kept = ranked[: max(1, round(len(ranked) * percent / 100))]
    digest = hashlib.sha256(repr(checkpoint.spec).encode())
    for name, value in sorted(checkpoint.tensors.items()):
        digest.update(name.encode() + value.tobytes())
    return Selection(
        name=f"easiest {percent!r} % of {SAMPLE_BYTES} bytes by {digest.hexdigest()}",
        kept=frozenset(kept.tolist()),
    )


def _middle(document: bytes) -> bytes:
    start = max(len(document) - SAMPLE_BYTES, 0) // 2
    return document[start : start + SAMPLE_BYTES]
