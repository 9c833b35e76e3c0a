# SPDX-License-Identifier: MIT
"""The engine of a training loop: the fused kernel, or PyTorch where there is none."""

import logging
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import numpy.typing as npt

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.train.engine.kernel import ChipNumbers, Kernel
from glintfpga.train.engine.parameters import Vector
from glintfpga.train.engine.range_penalty import RangePenalty
from glintfpga.train.engine.shape import AnySpec, Shape

__all__ = ["Engine", "open_engine"]

_log = logging.getLogger("glintfpga.train")


class Engine(Protocol):
    """Parameters are one float32 vector, tokens (batch, length + 1)."""

    size: int

    def step(self, params: Vector, tokens: npt.NDArray[np.uint16]) -> tuple[float, Vector]:
        """Return the mean loss in nats per token, and the gradient, penalty included."""
        ...

    def losses(self, params: Vector, tokens: npt.NDArray[np.uint16]) -> Vector:
        """Return ``-ln P`` of each predicted token, (batch, length)."""
        ...

    def evaluate(self, params: Vector, tokens: npt.NDArray[np.uint16]) -> float:
        """Return the mean loss in nats per token."""
        ...


def open_engine(
    spec: AnySpec,
    *,
    penalty: RangePenalty | None = None,
    numbers: ChipNumbers | None = None,
    threads: int | None = None,
) -> Engine:
    """Return the kernel; without a compiler, or for a shape it has no code for, PyTorch.

    PyTorch is more than twenty times slower, which is logged. Where it is not installed,
    ``EnvironmentProblem`` names both ways. With chip numbers there is no second way, and the
    kernel's ``EnvironmentProblem`` or ``InputError`` is raised. Shapes for software only run in
    PyTorch, on a GPU where it finds one. ``threads`` is for PyTorch, whose default comes from the
    environment; the kernel has one thread.
    """
    if isinstance(spec, Shape):
        import torch

        from glintfpga.train.engine.eager import Eager

        device = "cuda" if torch.cuda.is_available() else "cpu"
        return Eager(spec, penalty=penalty, device=device, threads=threads)
    try:
        return Kernel(spec, penalty=penalty, numbers=numbers)
    except (EnvironmentProblem, InputError) as error:
        if numbers is not None:
            raise
        if find_spec("torch") is None:
            raise EnvironmentProblem(
                f"{error}; or, far slower, pip install 'glintfpga[torch]'"
            ) from error
        _log.warning("training in PyTorch, which is far slower: %s", error)
    from glintfpga.train.engine.eager import Eager

    return Eager(Shape.of(spec), penalty=penalty, threads=threads)
