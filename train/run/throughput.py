# SPDX-License-Identifier: MIT
"""How fast this machine trains a shape, so that minutes can be turned into tokens."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from glintfpga.train.engine.choice import Engine
from glintfpga.train.engine.kernel import Kernel
from glintfpga.train.engine.parameters import initial
from glintfpga.train.engine.shape import for_chip
from glintfpga.train.engine.threads import threads_each
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.optimizer.basis import eigenbases_of
from glintfpga.train.run.config import TrainConfig

__all__ = ["measured_throughput", "tokens_per_second"]


def measured_throughput(engine: Engine, config: TrainConfig) -> float:
    """`tokens_per_second`, for the kernel measured in a process like those of the replicas.

    Here NumPy would compute the directions of the gradients with all cores, which is far slower
    where these are busy: 0.06 instead of 4.8 million tokens per second (measured).
    """
    if not isinstance(engine, Kernel):
        return tokens_per_second(engine, config)
    context = get_context("spawn")
    with threads_each(1), ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_throughput, config).result()


def _throughput(config: TrainConfig) -> float:
    return tokens_per_second(Kernel(for_chip(config.spec)), config)


def tokens_per_second(engine: Engine, config: TrainConfig, *, seconds: float = 2.0) -> float:
    """Tokens per second of one process: steps and updates on random ids for about ``seconds``.

    Drawing batches and the company of other processes are not in it; both cost some percent.
    """
    rng = np.random.default_rng(0)
    vector = initial(config.spec, rng)
    adam = Adam(count=len(vector), bases=eigenbases_of(config.spec))
    size = (config.batch, config.length + 1)
    ids = rng.integers(0, config.spec.vocab, size, dtype=np.uint16)
    engine.step(vector, ids)  # the first one allocates
    done, began = 0, time.monotonic()
    while not done or time.monotonic() - began < seconds:
        _, gradient = engine.step(vector, ids)
        adam.step(vector, gradient, 1e-3)
        done += config.batch * config.length
    return done / (time.monotonic() - began)
