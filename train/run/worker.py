# SPDX-License-Identifier: MIT
"""One process of a run: trains one replica through one stage, then scores it."""

import contextlib
import json
import logging
import math
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.plan import plan_of
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.perplexity import WINDOW_BYTES
from glintfpga.quant.files.atomic import cannot_write
from glintfpga.quant.files.text import read_text
from glintfpga.train.data.corpus import Corpus
from glintfpga.train.data.difficulty import easiest, shipped_scorer
from glintfpga.train.data.documents import are_dialogues
from glintfpga.train.data.manifest import read_manifest
from glintfpga.train.data.streams import Progress, Selection, open_corpus
from glintfpga.train.engine.choice import open_engine
from glintfpga.train.engine.kernel import ChipNumbers, Kernel
from glintfpga.train.engine.parameters import Vector, flatten, initial
from glintfpga.train.engine.range_penalty import RangePenalty
from glintfpga.train.engine.shape import Shape
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.optimizer.basis import eigenbases_of
from glintfpga.train.optimizer.bigram_start import bigram_embedding
from glintfpga.train.optimizer.scales import fitted
from glintfpga.train.run.config import TrainConfig
from glintfpga.train.run.finetune import starting_vector
from glintfpga.train.run.model_files import Model, read_model, write_model
from glintfpga.train.run.replica import Replica, train_stage
from glintfpga.train.run.scoring import score

__all__ = ["Sources", "begin", "checkpoint_path", "run_replica", "score_checkpoint"]

_LOG_S = 1.0
_FEWEST_IDS = 2 * WINDOW_BYTES
_SOFTWARE_IDS = 1 << 16
_FIT_WINDOWS = 512

Ids = npt.NDArray[np.unsignedinteger]

_stop: list[Event] = []


def begin(stop: Event) -> None:
    """Set up a process of a run, which ends its replica early, but saved, once ``stop`` is set."""
    _stop[:] = [stop]
    # Ctrl-C reaches every process of a terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent has said already that it trains in PyTorch.
    logging.disable(logging.WARNING)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End with the parent, even when that was killed: a second run would write the same files."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where text comes from: paths only, so that it can be handed to a process."""

    manifest: Path
    folder: Path | None
    """Where the manifest's files are; None: beside it."""
    cache: Path
    selection: tuple[Path, ...] = ()
    """Texts that choose among replicas; without any, held-out documents in both spacings."""

    def easiest(
        self, keep_fraction: float, *, progress: Progress | None = None
    ) -> Selection | None:
        """The share ``keep_fraction`` of the documents, the easiest ones; None for all.

        They are ranked here when the cache does not say how hard they are.
        """
        if keep_fraction == 1:
            return None
        manifest = read_manifest(self.manifest, folder=self.folder)
        return easiest(
            manifest, shipped_scorer(), share=keep_fraction, cache=self.cache, progress=progress
        )

    def corpus(self, keep_fraction: float, *, progress: Progress | None = None) -> Corpus:
        """The streams of the share ``keep_fraction``; made here when the cache lacks them."""
        return open_corpus(
            read_manifest(self.manifest, folder=self.folder),
            cache=self.cache,
            selection=self.easiest(keep_fraction),
            progress=progress,
        )

    @property
    def hold_dialogues(self) -> bool:
        """Whether a model that is trained on them is one for chat."""
        found = read_manifest(self.manifest, folder=self.folder)
        return any(are_dialogues(source.file) for source in found.sources)

    def texts(self, corpus: Corpus) -> list[tuple[str, Ids]]:
        """The texts that score replicas: held-out documents as they are, and the selection.

        Each has a name for people. Where a corpus is too small to have held-out documents, the
        text is the one trained on.
        """
        texts: list[tuple[str, Ids]] = [("held-out documents", corpus.raw_heldout)]
        texts += [(path.name, np.frombuffer(read_text(path), np.uint8)) for path in self.selection]
        if not self.selection:
            texts.append(("held-out documents in WikiText's spacing", corpus.spaced_heldout))
        long_enough = [(name, text) for name, text in texts if len(text) >= _FEWEST_IDS]
        return long_enough or [("the text it was trained on", corpus.raw)]


def run_replica(folder: Path, index: int, stage: int, sources: Sources) -> float:
    """Finish a stage of a replica, write its checkpoint, and return its score.

    The score is the mean over the selection texts of nats per byte, in the numbers of the stage. A
    shape that only software runs is slow and is scored over their first 65,536 ids.
    """
    config = TrainConfig.read(folder / "config.json")
    corpus = sources.corpus(config.kept)
    texts = [text for _, text in sources.texts(corpus)]
    if isinstance(config.spec, Shape):
        texts = [text[:_SOFTWARE_IDS] for text in texts]
    state = _state_path(folder, index)
    replica = _replica(config, folder, index, stage, corpus)
    numbers = _numbers(config, folder, index, stage)
    engine = open_engine(
        config.spec,
        penalty=RangePenalty(weight=config.penalty) if config.penalty else None,
        numbers=numbers,
    )
    place, mixture = checkpoint_path(folder, stage, index), dict(config.mixture)
    own = config.stages[stage].spaced
    spaced = config.spaced if own is None else own
    if replica.stage > stage:
        # It went on from here already, and only its score was lost.
        return score(engine, read_model(place).vector, texts)
    with _open_log(state.with_suffix(".log")) as log:
        told = _Log(log, replica)
        train_stage(
            replica,
            config.stages[stage],
            batch_tokens=config.batch * config.length,
            step=engine.step,
            draw=lambda rng: corpus.windows(
                rng, config.batch, config.length, wikitext_fraction=spaced, mixture=mixture
            ),
            path=state,
            progress=told,
            retreated=told.retreat,
            stopped=lambda: bool(_stop) and _stop[0].is_set(),
        )
        told.end()
    if isinstance(engine, Kernel) and _quantized_next(config, stage):
        replica.vector = _fitted(config, engine, replica.vector, corpus)
        replica.save(state)
    note = json.dumps({"tokens": replica.tokens, "config": config.to_json()})
    qk_log2_shift = numbers.qk_log2_shift if numbers else None
    found = Model(spec=config.spec, vector=replica.vector, note=note, qk_log2_shift=qk_log2_shift)
    write_model(place, found)
    return score(engine, replica.vector, texts)


def checkpoint_path(folder: Path, stage: int, index: int) -> Path:
    """Where the checkpoint of a replica after a stage is."""
    return folder / "checkpoints" / f"{stage}-{index:02d}.safetensors"


def score_checkpoint(checkpoint: Path, config: TrainConfig, sources: Sources) -> float:
    """The score of any checkpoint of the chip's shapes, in the numbers of the last stage."""
    found = read_checkpoint(checkpoint)
    plan = config.stages[-1].plan
    numbers = ChipNumbers.of(found, plan_of(plan), lanes=config.lanes) if plan else None
    engine = open_engine(found.spec, numbers=numbers)
    texts = [text for _, text in sources.texts(sources.corpus(config.kept))]
    return score(engine, flatten(found.spec, found.tensors), texts)


def _quantized_next(config: TrainConfig, stage: int) -> bool:
    """Whether this stage is the last float one, and others follow."""
    plans = [item.plan for item in config.stages[stage : stage + 2]]
    return len(plans) == 2 and plans[0] is None and plans[1] is not None


def _fitted(config: TrainConfig, kernel: Kernel, vector: Vector, corpus: Corpus) -> Vector:
    """The parameters with scales that fit the formats, judged by some windows of text."""
    share = config.spaced if len(corpus.spaced) > WINDOW_BYTES else 0.0
    rng = np.random.default_rng(config.seed)
    sample = corpus.windows(rng, _FIT_WINDOWS, config.length, wikitext_fraction=share)
    return fitted(kernel.spec, vector, kernel.ranges(vector, sample))


def _numbers(config: TrainConfig, folder: Path, index: int, stage: int) -> ChipNumbers | None:
    """The device's numbers for a quantized stage.

    They follow from the checkpoint of the stage before, so that a resumed stage has the same.
    """
    plan = config.stages[stage].plan
    if plan is None:
        return None
    before = read_checkpoint(checkpoint_path(folder, stage - 1, index))
    return ChipNumbers.of(before, plan_of(plan), lanes=config.lanes)


def _state_path(folder: Path, index: int) -> Path:
    return folder / "state" / f"{index:02d}.safetensors"


def _replica(config: TrainConfig, folder: Path, index: int, stage: int, corpus: Corpus) -> Replica:
    """The saved replica, moved on to ``stage`` where it ended the one before; or a new one."""
    state = _state_path(folder, index)
    adam = Adam(count=config.spec.param_count, bases=eigenbases_of(config.spec))
    if state.exists():
        replica = Replica.load(state, adam)
        if replica.stage < stage:
            # Moments and axes go on: the gradients of the next stage are much like the last ones.
            replica.stage, replica.steps, replica.loss = stage, 0, math.nan
        return replica
    if stage:
        raise InputError(f"{str(state)!r} is missing: start the run anew in another folder")
    rng = np.random.default_rng([config.seed, index])
    if config.start:
        vector = starting_vector(folder, config)
        return Replica(vector=vector, adam=adam, rng=rng)
    # Two in three start from the bigram table: its winners are better, but alike.
    embedding = None
    if index % 3 and not isinstance(config.spec, Shape):
        mixture = dict(config.mixture)
        counts = corpus.pair_counts(wikitext_fraction=config.spaced, mixture=mixture)
        embedding = bigram_embedding(counts, rng)
    vector = initial(config.spec, rng, embedding)
    return Replica(vector=vector, adam=adam, rng=rng)


def _open_log(path: Path) -> IO[str]:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise cannot_write(repr(str(path)), error) from error


class _Log:
    """A line every few seconds, and one for each retreat."""

    def __init__(self, file: IO[str], replica: Replica) -> None:
        self._file = file
        self._replica = replica
        self._next = 0.0
        self._stage_tokens = 0

    def __call__(self, stage_tokens: int) -> None:
        self._stage_tokens = stage_tokens
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LOG_S
            self._write(stage_tokens)

    def retreat(self, stage_tokens: int) -> None:
        """Note that a loss was no number, and the factor of the learning rate from now on."""
        self._write(stage_tokens, caution=self._replica.lr_scale)

    def end(self) -> None:
        """Note where the stage ended."""
        self._write(self._stage_tokens)

    def _write(self, stage_tokens: int, **more: float) -> None:
        loss = self._replica.loss
        line = {
            "stage": self._replica.stage,
            "stage_tokens": stage_tokens,
            "tokens": self._replica.tokens,
            "loss": round(loss, 5) if math.isfinite(loss) else None,
            **more,
        }
        # A line that a full disk loses is no reason to stop: the next save says so.
        with contextlib.suppress(OSError):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
