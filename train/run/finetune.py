# SPDX-License-Identifier: MIT
"""Training on from a model that exists: its shape and weights, then short stages on other text.

That is how a base model learns to answer: dialogues in the chat template (`quant.chat_template`).
The loss counts all ids, those of the questions too: answers are about half of the bytes, and a
model of a thousand numbers with a context of some dozens of bytes has to learn questions as well.
"""

import hashlib
from pathlib import Path

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint
from glintfpga.quant.blink.plan import DEFAULT_PLAN
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.train.engine.parameters import Vector, flatten
from glintfpga.train.run.config import Stage, TrainConfig

__all__ = ["START", "TUNING_STAGES", "keep_start", "starting_vector", "tuning_config"]

TUNING_STAGES = (
    Stage(lineages=1, tokens=60_000_000, rate=3e-2, final=0.002),
    Stage(lineages=1, tokens=12_000_000, rate=3e-3, plan=DEFAULT_PLAN.code),
)
"""One replica: seeds differ in where they start, and here all would start alike. The rates are
those of a new training."""

START = "start.safetensors"
"""Where a run keeps it."""


def tuning_config(path: Path) -> TrainConfig:
    """The config of a run that starts from the checkpoint at ``path``.

    Raises ``InputError`` when it cannot be read, or turns by other than 1 radian per token.
    """
    found = _read(path)
    return TrainConfig(spec=found.spec, stages=TUNING_STAGES, start=_sha256(path))


def keep_start(folder: Path, path: Path) -> None:
    """Copy the checkpoint into the run, which does not depend on the original from then on."""
    write_atomic(folder / START, path.read_bytes())


def starting_vector(folder: Path, config: TrainConfig) -> Vector:
    """Parameters that the run in ``folder`` starts from.

    Raises ``InputError`` when they are not there, or not those of its config.
    """
    path = folder / START
    found = _read(path)
    if _sha256(path) != config.start:
        raise InputError(
            f"{str(path)!r} is not the model that the run started from: name another folder"
        )
    return flatten(config.spec, found.tensors)


def _read(path: Path) -> Checkpoint:
    found = read_checkpoint(path)
    if found.rope_radians_per_token != 1.0:
        raise InputError(
            f"{str(path)!r} turns by {found.rope_radians_per_token!r} radians per token, but the "
            "training by 1: start from another model"
        )
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
