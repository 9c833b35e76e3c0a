# SPDX-License-Identifier: MIT
"""How many threads the processes of a training compute with."""

import contextlib
import os
from collections.abc import Iterator

__all__ = ["threads_each"]

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextlib.contextmanager
def threads_each(count: int) -> Iterator[None]:
    """PyTorch in processes started meanwhile has so many threads: one, where replicas share the
    cores. NumPy and the kernel always have one, so that their sums do not depend on it."""
    wanted = {**dict.fromkeys(_THREADS, str(count)), "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
