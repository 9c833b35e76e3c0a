# SPDX-License-Identifier: MIT
"""One replica: a vector, its optimizer and its random stream, saved together and resumed exactly.

A state file appears whole or not at all, so a kill at any moment costs only the steps since the
last save.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.train.engine.parameters import Vector
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.run.config import Stage

__all__ = ["Draw", "Replica", "Step", "Stopped", "rate_at", "train_stage"]

_WARM_UP_STEPS = 100
_LOST_FACTOR = 0.5
_MAX_RETREATS = 8
_SMOOTH = 0.99
_ASK_STEPS = 16
_ASK_S = 1.0

Step = Callable[[Vector, npt.NDArray[np.uint16]], tuple[float, Vector]]
"""Loss (nats per token) and gradient (penalty included) for ids (batch, length + 1)."""
Draw = Callable[[np.random.Generator], npt.NDArray[np.uint16]]
"""A batch of ids (batch, length + 1); the same random state gives the same batch."""
Progress = Callable[[int], None]
"""Called with the tokens of the stage that are done."""


class Stopped(Exception):
    """The training was told to stop; its state is saved."""


@dataclass(kw_only=True)
class Replica:
    """All that the next step depends on."""

    vector: Vector
    adam: Adam
    rng: np.random.Generator
    stage: int = 0
    """Stage that it is in."""
    steps: int = 0
    """Steps done of that stage."""
    tokens: int = 0
    """Tokens trained on in all stages."""
    lr_scale: float = 1.0
    """Factor of the learning rate; halved whenever the loss is no number."""
    loss: float = math.nan
    """Smoothed."""

    def save(self, path: Path) -> None:
        """Write the state; the file appears whole or not at all. ``EnvironmentProblem`` when it
        cannot."""
        tensors = {"vector": self.vector, **self.adam.tensors()}
        facts = {
            "stage": self.stage,
            "steps": self.steps,
            "tokens": self.tokens,
            "caution": self.lr_scale,
            "loss": self.loss if math.isfinite(self.loss) else None,
            "adam_steps": self.adam.steps,
            "rng": self.rng.bit_generator.state,
        }
        write_atomic(path, save(tensors, {"lineage": json.dumps(facts)}))

    @classmethod
    def load(cls, path: Path, adam: Adam) -> "Replica":
        """Read a state; the moments go into ``adam``, which has to fit.

        ``InputError`` when it is damaged or another's.
        """
        count = adam.count
        try:
            with safe_open(path, "np") as file:
                facts = json.loads(file.metadata()["lineage"])
                tensors = {
                    name: np.array(file.get_tensor(name), np.float32)
                    for name in ("vector", *adam.tensors())
                }
            adam_steps = int(facts["adam_steps"])
            rng = np.random.default_rng()
            rng.bit_generator.state = facts["rng"]
            replica = cls(
                vector=tensors.pop("vector"),
                adam=adam,
                rng=rng,
                stage=int(facts["stage"]),
                steps=int(facts["steps"]),
                tokens=int(facts["tokens"]),
                lr_scale=float(facts["caution"]),
                loss=math.nan if facts["loss"] is None else float(facts["loss"]),
            )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"damaged state {str(path)!r} ({reason:.80}): delete it") from None
        wanted = {"vector": (count,), **{name: a.shape for name, a in adam.tensors().items()}}
        found = {"vector": replica.vector, **tensors}
        if any(found[name].shape != shape for name, shape in wanted.items()):
            raise InputError(f"{str(path)!r} is not a state of {count} numbers: delete it")
        if not all(np.isfinite(part).all() for part in found.values()):
            raise InputError(f"{str(path)!r} has values that are not finite: delete it")
        adam.adopt(tensors, adam_steps)
        return replica


def rate_at(stage: Stage, step: int, steps: int) -> float:
    """Learning rate of step ``step`` of ``steps``: linear warm-up, then a cosine to ``final``."""
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / steps)
    return stage.rate * warm * (stage.final + (1 - stage.final) * cosine)


def train_stage(
    replica: Replica,
    stage: Stage,
    *,
    batch_tokens: int,
    step: Step,
    draw: Draw,
    path: Path,
    save_s: float = 20.0,
    progress: Progress | None = None,
    retreated: Progress | None = None,
    stopped: Callable[[], bool] | None = None,
) -> None:
    """Take a replica through the rest of a stage, saving it to ``path`` now and then.

    Parameters
    ----------
    batch_tokens
        Predicted tokens of what ``draw`` returns.
    retreated
        Called like ``progress`` after a loss that was no number: the replica is then back at its
        last save, with half the learning rate. The eighth time raises ``InputError``.
    stopped
        Called every 16 steps, or every second where steps are slow. When it returns true, the
        replica is saved and ``Stopped`` raised.
    """
    steps = max(1, stage.tokens // batch_tokens)
    retreats = 0
    replica.save(path)
    saved = asked = time.monotonic()
    while replica.steps < steps:
        loss, gradient = step(replica.vector, draw(replica.rng))
        if not (math.isfinite(loss) and np.isfinite(gradient).all()):
            retreats += 1
            _retreat(replica, path, retreats)
            if retreated is not None:
                retreated(replica.steps * batch_tokens)
            continue
        rate = replica.lr_scale * rate_at(stage, replica.steps, steps)
        replica.adam.step(replica.vector, gradient, rate)
        replica.steps += 1
        replica.tokens += batch_tokens
        before = replica.loss if math.isfinite(replica.loss) else loss
        replica.loss = before + max(1 - _SMOOTH, 1 / replica.steps) * (loss - before)
        now = time.monotonic()
        if now - saved > save_s:
            replica.save(path)
            saved = time.monotonic()
        if replica.steps % _ASK_STEPS == 0 or now - asked > _ASK_S:
            asked = now
            if stopped is not None and stopped():
                replica.save(path)
                raise Stopped
            if progress is not None:
                progress(replica.steps * batch_tokens)
    replica.save(path)
    if progress is not None:
        progress(replica.steps * batch_tokens)


def _retreat(replica: Replica, path: Path, times: int) -> None:
    if times >= _MAX_RETREATS:
        raise InputError(
            f"the loss is no number again after {times} retreats to {str(path)!r}: "
            "train with a lower rate"
        )
    lr_scale, rng = replica.lr_scale * _LOST_FACTOR, replica.rng
    last = Replica.load(path, replica.adam)
    # The random stream goes on: the same batch again would fail again.
    replica.__dict__.update(last.__dict__, lr_scale=lr_scale, rng=rng)
    replica.save(path)
