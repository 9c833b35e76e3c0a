# SPDX-License-Identifier: MIT
"""Documents ranked by how hard a small trained model finds them.

The measure is the model's mean surprise, in nats per byte, over 256 bytes from the middle of a
document. Tables, formulas, foreign scripts and damaged text come out hard; plain prose comes out
easy. The easiest share is used, as a model of a thousand numbers has no room for the rest.
"""

import hashlib
import io
import os
from importlib import resources
from pathlib import Path

import numpy as np

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint
from glintfpga.quant.blink.scorers import FloatScorer
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.evaluation.losses import Passage, Progress, losses
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.numbers.arrays import FloatArray
from glintfpga.train.data.manifest import Manifest
from glintfpga.train.data.streams import Selection, all_documents

__all__ = ["SAMPLE_BYTES", "difficulties", "easiest", "shipped_scorer"]

SAMPLE_BYTES = 256


def difficulties(
    manifest: Manifest, checkpoint: Checkpoint, *, progress: Progress | None = None
) -> FloatArray:
    """Mean ``-ln P`` per byte of each document, (documents,), in the order of the manifest.

    A document of one byte has no byte to score and counts as infinitely hard. Raises
    ``InputError`` as ``corpus.all_documents`` does.
    """
    passages = [Passage(text=_middle(document)) for _, document in all_documents(manifest)]
    sums = losses(FloatScorer(checkpoint), passages, progress=progress)
    sizes = np.array([passage.scored for passage in passages], np.float64)
    return np.divide(sums, sizes, out=np.full(len(sums), np.inf), where=sizes > 0)


def easiest(
    manifest: Manifest,
    checkpoint: Checkpoint,
    *,
    share: float,
    cache: Path,
    progress: Progress | None = None,
) -> Selection:
    """Keep the ``share`` of documents that ``checkpoint`` finds easiest, at least one.

    Equally hard ones are chosen in order. The measures are stored in the folder ``cache``, 8 bytes
    per document. Raises ``InputError`` for a share outside (0, 1] and for unreadable files, and
    ``EnvironmentProblem`` when the cache cannot be written to.
    """
    if not 0 < share <= 1:
        raise InputError(f"the share to keep must be above 0 and at most 1, not {share!r}")
    model = hashlib.sha256(repr(checkpoint.spec).encode())
    for name, value in sorted(checkpoint.tensors.items()):
        model.update(name.encode() + value.tobytes())
    measure = f"{SAMPLE_BYTES} bytes by {model.hexdigest()}"
    parts = [measure, *(f"{source.file} {source.sha256}" for source in manifest.sources)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    path = cache / "difficulty" / f"{digest[:24]}.npy"
    found = _cached(path)
    if found is None:
        found = difficulties(manifest, checkpoint, progress=progress)
        _keep(path, found)
    ranked = np.argsort(found, kind="stable")
    kept = ranked[: max(1, round(len(ranked) * share))]
    return Selection(name=f"easiest {share!r} of {measure}", kept=frozenset(kept.tolist()))


def shipped_scorer() -> Checkpoint:
    """The model that ranks the documents of a training."""
    place = resources.files("glintfpga.train") / "release" / "blink-base" / "model.safetensors"
    with resources.as_file(place) as path:
        return read_checkpoint(path)


def _cached(path: Path) -> FloatArray | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.float64 and found.ndim == 1 else None


def _keep(path: Path, values: FloatArray) -> None:
    file = io.BytesIO()
    np.save(file, values)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, file.getvalue())
    except (OSError, InputError) as error:
        raise EnvironmentProblem(
            f"cannot keep the ranking of documents in {os.fspath(path.parent)!r}: {error}"
        ) from error


def _middle(document: bytes) -> bytes:
    start = max(len(document) - SAMPLE_BYTES, 0) // 2
    return document[start : start + SAMPLE_BYTES]
