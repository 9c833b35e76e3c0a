# SPDX-License-Identifier: MIT
"""A training run: a folder, its stages, and replicas that train side by side in processes.

    run/config.json             the config; a second start with the same one resumes
    run/sources.json            where its text is; paths of this machine
    run/machine.json            processor, and seconds spent so far
    run/state/NN.safetensors    one replica each, see `train.run.replica`
    run/state/NN.log            a JSON line every few seconds: stage, tokens, loss
    run/scores.json             scores after each stage; they decide which replicas go on
    run/checkpoints/S-NN.safetensors   what was scored after stage S
    run/start.safetensors       what the first stage goes on from, see `train.run.finetune`
    run/best.safetensors        the checkpoint with the lowest score of the last stage

A replica is a pure function of config, corpus and its number, so runs repeat and resume exactly;
only after a loss that was no number does it depend on when it was last saved. Where PyTorch
computes it, sums also depend on the number of threads, and on a GPU nothing is reproducible.
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.atomic import cannot_write, write_atomic
from glintfpga.quant.files.lock import locked
from glintfpga.train.engine.threads import threads_each
from glintfpga.train.run.config import TrainConfig
from glintfpga.train.run.run_log import RunLog, Scores, Tails, write_json, write_sources
from glintfpga.train.run.worker import Sources, begin, checkpoint_path, run_replica

__all__ = ["Run", "RunStatus"]

_POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """Where a run is."""

    stage: int
    replicas: int
    """Replicas of the stage."""
    finished: int
    """Those of them that are scored."""
    tokens: int
    """Tokens done in all stages."""
    total: int
    loss: float
    """Lowest smoothed loss of the stage, nats per token; nan before the first is known."""
    retreats: dict[int, float] = field(default_factory=dict)
    """Replicas whose loss just was no number, and the factor their learning rates have now."""


Progress = Callable[[RunStatus], None]


class Run:
    """A run in ``folder``. ``InputError`` when the folder belongs to another config."""

    def __init__(self, folder: Path, config: TrainConfig, sources: Sources) -> None:
        self.folder = folder
        self.config = config
        self.sources = sources
        self.log = RunLog(folder)
        self._adopt()

    def go(self, *, workers: int = 1, progress: Progress | None = None) -> Path:
        """Do what is left; return the path of the best checkpoint.

        Raises ``InputError`` and ``EnvironmentProblem`` of the replicas. What was saved stays, and
        on an interrupt the replicas are saved first.
        """
        # Two processes would write the same states.
        with locked(self.folder / "lock", what=f"the run in {str(self.folder)!r}"):
            # What a kill in the middle of a save left.
            for draft in (self.folder / "state").glob(".*.safetensors.*"):
                draft.unlink(missing_ok=True)
            scores = self.log.scores()
            for stage in range(len(self.config.stages)):
                members = self._members(stage, scores)
                missing = [index for index in members if index not in scores.get(stage, {})]
                since = time.monotonic()
                for index, score in self._side_by_side(stage, missing, workers, members, progress):
                    scores.setdefault(stage, {})[index] = score
                    self.log.write_scores(scores)
                    self.log.add_seconds(time.monotonic() - since, workers)
                    since = time.monotonic()
            last = len(self.config.stages) - 1
            winner = min(scores[last], key=lambda index: (scores[last][index], index))
            best = self.folder / "best.safetensors"
            write_atomic(best, checkpoint_path(self.folder, last, winner).read_bytes())
        return best

    def scores(self) -> Scores:
        """Scores by stage and replica."""
        return self.log.scores()

    def _adopt(self) -> None:
        path = self.folder / "config.json"
        for folder in (self.folder / "state", self.folder / "checkpoints"):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(repr(str(folder)), error) from error
        if not path.exists():
            write_json(path, self.config.to_json())
        elif TrainConfig.read(path) != self.config:
            raise InputError(
                f"{str(self.folder)!r} holds a run with other settings: name another folder"
            )
        write_sources(self.folder, self.sources)

    def _members(self, stage: int, scores: Scores) -> list[int]:
        count = self.config.stages[stage].lineages
        if stage == 0:
            return list(range(count))
        before = scores[stage - 1]
        return sorted(sorted(before, key=lambda index: (before[index], index))[:count])

    def _side_by_side(
        self,
        stage: int,
        missing: list[int],
        workers: int,
        members: list[int],
        progress: Progress | None,
    ) -> Iterator[tuple[int, float]]:
        if not missing:
            return
        # Spawned, not forked: a fork would share the locks of NumPy's threads.
        context = get_context("spawn")
        stop = context.Event()
        logs = Tails(self.log, members)
        with (
            threads_each(max(1, workers // len(missing))),
            ProcessPoolExecutor(
                min(workers, len(missing)), mp_context=context, initializer=begin, initargs=(stop,)
            ) as pool,
        ):
            futures: dict[Future[float], int] = {
                pool.submit(run_replica, self.folder, index, stage, self.sources): index
                for index in missing
            }
            try:
                pending = set(futures)
                while pending:
                    done, pending = wait(pending, timeout=_POLL_S)
                    for future in done:
                        yield futures[future], future.result()
                    if progress is not None:
                        progress(self._status(stage, len(members), len(pending), logs))
            except BrokenProcessPool as error:
                raise EnvironmentProblem(
                    "a process of the training ended by itself, perhaps for want of memory: give "
                    "the same command again, it goes on"
                ) from error
            finally:
                # For an interrupt or an error: the others save what they did, and end.
                stop.set()
                pool.shutdown(cancel_futures=True)

    def _status(self, stage: int, members: int, unfinished: int, logs: Tails) -> RunStatus:
        before = sum(item.lineages * item.tokens for item in self.config.stages[:stage])
        lines = [line for line in logs.last() if line.get("stage") == stage]
        losses = [line["loss"] for line in lines if line["loss"] is not None]
        return RunStatus(
            stage=stage,
            replicas=members,
            finished=members - unfinished,
            tokens=before + sum(int(line["stage_tokens"]) for line in lines),
            total=self.config.tokens,
            loss=min(losses, default=math.nan),
            retreats=logs.retreats(),
        )
