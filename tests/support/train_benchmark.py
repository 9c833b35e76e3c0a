# SPDX-License-Identifier: MIT
"""Tokens per second of the fused kernel and of PyTorch: ``python -m support.train_benchmark``.

Both take the same training step (loss, gradients, range penalty; no optimizer) on the same tokens,
on one thread, in turns, so that a busy machine slows both. Quote the median ratio.
"""

import argparse
import logging
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from glintfpga.quant.blink.plan import PLANS
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.train.engine.choice import Engine
from glintfpga.train.engine.eager import Eager
from glintfpga.train.engine.kernel import ChipNumbers, Kernel
from glintfpga.train.engine.parameters import initial
from glintfpga.train.engine.range_penalty import RangePenalty
from glintfpga.train.engine.shape import Shape

__all__ = ["Speed", "compare"]

_log = logging.getLogger("glintfpga.train")
_KERNEL_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Training tokens per second of processor time, one number a round."""

    name: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


def compare(
    spec: ModelSpec, *, batch: int = 16, length: int = 128, rounds: int = 5
) -> tuple[Speed, ...]:
    """Measure PyTorch, the float kernel and the kernel with each number plan, in turns."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    params = initial(spec, rng)
    tokens = rng.integers(0, spec.vocab, (batch, length + 1)).astype(np.uint16)
    penalty = RangePenalty()
    engines: dict[str, tuple[Engine, int]] = {
        "PyTorch": (Eager(Shape.of(spec), penalty=penalty), 1),
        "kernel": (Kernel(spec, penalty=penalty), _KERNEL_STEPS),
    }
    for code, plan in PLANS.items():
        numbers = ChipNumbers(plan=plan, lanes=4, qk_log2_shift=(0,) * spec.passes, rope=(7, 44))
        kernel = Kernel(spec, penalty=penalty, numbers=numbers)
        engines[f"kernel, plan {code}"] = (kernel, _KERNEL_STEPS)
    for engine, _ in engines.values():
        engine.step(params, tokens)
    found: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, (engine, steps) in engines.items():
            seconds = _time(partial(engine.step, params, tokens), steps)
            found[name].append(batch * length * steps / seconds)
    return tuple(Speed(name=name, rounds=tuple(values)) for name, values in found.items())


def _time(step: Callable[[], object], steps: int) -> float:
    start = time.process_time()
    for _ in range(steps):
        step()
    return time.process_time() - start


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="support.train_benchmark", description=__doc__)
    parser.add_argument("--loops", type=int, default=8)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    spec = ModelSpec(loops=arguments.loops, window=arguments.window)
    _log.info(
        "%d loops, window %d, %d x %d tokens per step, one thread, median of %d rounds",
        spec.loops, spec.window, arguments.batch, arguments.length, arguments.rounds,
    )  # fmt: skip
    speeds = compare(spec, batch=arguments.batch, length=arguments.length, rounds=arguments.rounds)
    for speed in speeds:
        ratio = statistics.median(a / b for a, b in zip(speed.rounds, speeds[0].rounds))
        _log.info("%-16s %9.0f tokens/s %7.1f x PyTorch", speed.name, speed.median, ratio)
    return 0


if __name__ == "__main__":
    sys.exit(main())
