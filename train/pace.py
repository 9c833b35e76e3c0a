# SPDX-License-Identifier: MIT
"""How fast this machine trains a shape, so that minutes can be turned into tokens."""

from __future__ import annotations

import time

import numpy as np

from glintfpga.train.adam import Adam
from glintfpga.train.basis import bases_of
from glintfpga.train.config import TrainConfig
from glintfpga.train.engine import Engine
from glintfpga.train.parameters import initial

__all__ = ["tokens_per_second"]


def tokens_per_second(engine: Engine, config: TrainConfig, *, seconds: float = 2.0) -> float:
    """Tokens a second of one process: steps and updates on random ids for about ``seconds``.

    Drawing batches and the company of other processes are not in it; both cost some percent.
    """
    rng = np.random.default_rng(0)
    vector = initial(config.spec, rng)
    adam = Adam(count=len(vector), bases=bases_of(config.spec))
    size = (config.batch, config.length + 1)
    ids = rng.integers(0, config.spec.vocab, size, dtype=np.uint16)
    engine.step(vector, ids)  # the first one allocates
    done, began = 0, time.monotonic()
    while not done or time.monotonic() - began < seconds:
        _, gradient = engine.step(vector, ids)
        adam.step(vector, gradient, 1e-3)
        done += config.batch * config.length
    return done / (time.monotonic() - began)
