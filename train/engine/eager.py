# SPDX-License-Identifier: MIT
"""Training steps in plain PyTorch: the kernel's reference, larger shapes, and GPUs."""

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.train.engine.model import Blink, loss
from glintfpga.train.engine.parameters import Vector
from glintfpga.train.engine.range_penalty import RangePenalty
from glintfpga.train.engine.shape import Shape

__all__ = ["Eager"]

_ROWS = 32


class Eager:
    """``Engine`` for any shape; the vector has the tensors in the order of ``tensor_shapes()``.

    ``device`` is PyTorch's name of one, such as ``cuda``; ``threads`` is set for the whole process.
    ``step`` and ``losses`` raise ``EnvironmentProblem`` when memory runs out, there or in the
    machine.
    """

    def __init__(
        self, shape: Shape, *, penalty: RangePenalty | None = None, device: str = "cpu",
        threads: int | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        if threads is not None:
            torch.set_num_threads(threads)
        self.model = Blink(shape, seed=seed).to(device)
        self._penalty = penalty
        self._device = device
        tensors = dict(self.model.named_parameters())
        self._tensors = [tensors[name] for name in shape.tensor_shapes()]
        self.size = sum(tensor.numel() for tensor in self._tensors)

    def vector(self) -> Vector:
        """Return the model's parameters; at first those of a fresh model."""
        return _to_vector(self._tensors)

    def step(self, params: Vector, tokens: npt.NDArray[np.uint16]) -> tuple[float, Vector]:
        """Return the mean loss in nats per token, and the gradient, penalty included."""
        self._load(params)
        self.model.zero_grad(set_to_none=False)
        with _memory(self._device, tokens):
            nll, extra = loss(self.model, self._ids(tokens), self._penalty)
            (nll + extra).backward()
        # A LoRA whose B is zero or a window of one token leaves tensors without a gradient.
        grads = [torch.zeros_like(t) if t.grad is None else t.grad for t in self._tensors]
        return float(nll.detach()), _to_vector(grads)

    @torch.no_grad()
    def losses(self, params: Vector, tokens: npt.NDArray[np.uint16]) -> Vector:
        """Return ``-ln P`` of each predicted token, (batch, length)."""
        self._load(params)
        found = []
        with _memory(self._device, tokens):
            for ids in self._ids(tokens).split(_ROWS):
                logits = self.model(ids[:, :-1]).transpose(1, 2)
                found.append(F.cross_entropy(logits, ids[:, 1:], reduction="none"))
            return np.asarray(torch.cat(found).cpu().numpy(), np.float32)

    def evaluate(self, params: Vector, tokens: npt.NDArray[np.uint16]) -> float:
        """Return the mean loss in nats per token."""
        return float(self.losses(params, tokens).mean(dtype=np.float64))

    @torch.no_grad()
    def _load(self, params: Vector) -> None:
        start = 0
        fresh = torch.from_numpy(np.ascontiguousarray(params, np.float32)).to(self._device)
        for tensor in self._tensors:
            tensor.copy_(fresh[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def _ids(self, tokens: npt.NDArray[np.uint16]) -> Tensor:
        return torch.from_numpy(np.asarray(tokens, np.int64)).to(self._device)


@contextlib.contextmanager
def _memory(device: str, tokens: npt.NDArray[np.uint16]) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # Without a type of its own where the memory is the processor's.
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        rows, length = tokens.shape
        raise EnvironmentProblem(
            f"the memory of {device!r} does not do for {rows} sequences of {length} ids: give a "
            "smaller --batch and another --out"
            + ("" if device == "cpu" else ", or set CUDA_VISIBLE_DEVICES= to train without it")
        ) from error


def _to_vector(tensors: list[Tensor]) -> Vector:
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    return np.asarray(flat.cpu().numpy(), np.float32)
