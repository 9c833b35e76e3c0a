# SPDX-License-Identifier: MIT
"""The fused CPU kernel: loss and gradients of blink, one core, millions of tokens per second.

``kernel.cpp`` is compiled at first use of a shape (``train.engine.kernel_build``). A library has
one workspace, so kernels must not be used from several threads; replicas run as processes.
"""

import ctypes
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.limits import DEFAULT_LANES
from glintfpga.quant.blink.plan import PLAN12, NumberPlan
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.blink.tables import RECIPROCAL, RSQRT, exp2_table, rope_table, silu_table
from glintfpga.quant.errors import InputError
from glintfpga.train.engine.kernel_build import load_kernel
from glintfpga.train.engine.parameters import Vector
from glintfpga.train.engine.range_penalty import RangePenalty

__all__ = ["ChipNumbers", "Kernel"]

MAX_WINDOW = 64
"""Longest attention window: scores of one token live in registers and on the stack."""

TokenArray = npt.NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class ChipNumbers:
    """Train with the integers of a device."""

    plan: NumberPlan
    lanes: int
    qk_log2_shift: tuple[int, ...]
    """Powers of two that each pass moves from q to k."""
    rope: tuple[int, int]
    """Turns per token, as a fraction."""

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, plan: NumberPlan, *, lanes: int = DEFAULT_LANES
    ) -> "ChipNumbers":
        """Return what ``quantize`` chooses for this checkpoint."""
        model, report = quantize(checkpoint, plan=plan, lanes=lanes)
        return cls(
            plan=plan,
            lanes=lanes,
            qk_log2_shift=report.balance,
            rope=(model.rope_num, model.rope_den),
        )


class _Tables(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in (
        "rsqrt", "reciprocal", "silu", "slope", "exp2",
    )]  # fmt: skip


class _Penalty(ctypes.Structure):
    _fields_ = [(name, ctypes.c_float) for name in ("weight", "qk", "gate", "z", "x")]


class _Call(ctypes.Structure):
    """``Call`` of kernel.cpp."""

    _fields_ = [
        ("params", ctypes.c_void_p),
        ("tokens", ctypes.c_void_p),
        ("batch", ctypes.c_int32),
        ("length", ctypes.c_int32),
        ("rope", ctypes.c_void_p),
        ("qk_log2_shift", ctypes.c_void_p),
        ("tables", _Tables),
        ("penalty", _Penalty),
        ("grads", ctypes.c_void_p),
        ("losses", ctypes.c_void_p),
        ("logits", ctypes.c_void_p),
        ("ranges", ctypes.c_void_p),
    ]


class Kernel:
    """Training steps of one shape.

    Parameters are one float32 vector (see ``train.engine.parameters``), tokens uint16 (batch,
    length + 1): each position but the last predicts the next. Batches that are multiples of 16 use
    the machine best. Raises ``InputError`` for a shape the kernel has no code for (thinking,
    windows above 64) and ``EnvironmentProblem`` when it cannot be compiled.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        penalty: RangePenalty | None = None,
        numbers: ChipNumbers | None = None,
        rope_radians_per_token: float = 1.0,
    ) -> None:
        if spec.thinking:
            raise InputError(f"the kernel does not think, but thinking is {spec.thinking!r}: use 0")
        if spec.window > MAX_WINDOW:
            raise InputError(f"the kernel's window is at most {MAX_WINDOW}, not {spec.window!r}")
        self.spec = spec
        self.size = spec.param_count
        self.numbers = numbers
        self._radians = rope_radians_per_token
        if numbers is None:
            self._library = load_kernel(spec, PLAN12, fixed=False)
        else:
            self._library = load_kernel(spec, numbers.plan, fixed=True, lanes=numbers.lanes)
        if self._library.parameter_count() != self.size:
            raise RuntimeError("kernel.cpp and ModelSpec differ in the number of parameters")
        qk_log2_shift = numbers.qk_log2_shift if numbers else (0,) * spec.passes
        if len(qk_log2_shift) != spec.passes:
            raise ValueError(
                f"qk_log2_shift must have {spec.passes} numbers, not {len(qk_log2_shift)}"
            )
        self._balance = np.array(qk_log2_shift, np.int32)
        self._tables = _table_arrays(numbers.plan) if numbers else []
        self._rope: npt.NDArray[np.float32] = np.zeros((0, 2), np.float32)
        limits = penalty or RangePenalty(weight=0.0)
        self._penalty = _Penalty(*astuple(limits))

    def step(self, params: Vector, tokens: TokenArray) -> tuple[float, Vector]:
        """Return the mean loss in nats per token and its gradient, a vector like ``params``."""
        grads = np.empty(self.size, np.float32)
        return self._run(params, tokens, grads=grads), grads

    def losses(self, params: Vector, tokens: TokenArray) -> Vector:
        """Return ``-ln P`` of each predicted token, (batch, length)."""
        batch, width = np.shape(tokens)
        losses = np.empty((batch, width - 1), np.float32)
        self._run(params, tokens, losses=losses)
        return losses

    def evaluate(self, params: Vector, tokens: TokenArray) -> float:
        """Return the mean loss in nats per token."""
        return self._run(params, tokens)

    def logits(self, params: Vector, tokens: TokenArray) -> Vector:
        """Return base-2 logits (batch, length, vocab) behind all tokens but the last."""
        batch, width = np.shape(tokens)
        logits = np.empty((batch, width - 1, self.spec.vocab), np.float32)
        self._run(params, tokens, logits=logits)
        return logits

    def ranges(self, params: Vector, tokens: TokenArray) -> dict[str, float]:
        """Return the largest magnitudes of q, k, v, x, up and z over all passes and tokens."""
        names = ("q", "k", "v", "x", "up", "z")
        found = np.zeros(len(names), np.float32)
        self._run(params, tokens, ranges=found)
        return dict(zip(names, found.tolist()))

    def _run(self, params: Vector, tokens: TokenArray, **outputs: Vector) -> float:
        params = np.ascontiguousarray(params, np.float32)
        ids = np.asarray(tokens)
        if params.shape != (self.size,):
            raise ValueError(f"params must have shape ({self.size},), not {params.shape}")
        if not np.isfinite(params).all():
            # The tables of the chip's numbers have no place for them.
            raise InputError("params have values that are not finite: go back to earlier ones")
        if ids.ndim != 2 or not ids.shape[0] or ids.shape[1] < 2:
            raise ValueError(f"tokens must have shape (batch, 2 or more), not {ids.shape}")
        for worst in (int(ids.min()), int(ids.max())):
            if not 0 <= worst < self.spec.vocab:
                raise InputError(
                    f"token id {worst} is outside the vocabulary: use 0 to {self.spec.vocab - 1}"
                )
        ids = np.ascontiguousarray(ids, np.uint16)
        call = _Call(
            params=params.ctypes.data,
            tokens=ids.ctypes.data,
            batch=ids.shape[0],
            length=ids.shape[1] - 1,
            rope=self._rope_of(ids.shape[1] - 1).ctypes.data,
            qk_log2_shift=self._balance.ctypes.data,
            tables=_Tables(*(table.ctypes.data for table in self._tables)),
            penalty=self._penalty,
            **{name: array.ctypes.data for name, array in outputs.items()},
        )
        return float(self._library.run(ctypes.byref(call)))

    def _rope_of(self, length: int) -> npt.NDArray[np.float32]:
        """Cosine and sine of the first positions, (length, 2)."""
        if len(self._rope) < length:
            position = np.arange(length)
            if self.numbers:
                fmt = self.numbers.plan.rope
                numerator, denominator = self.numbers.rope
                table = fmt.real(rope_table(fmt, denominator))
                angles = table[position * numerator % denominator]
            else:
                turned = position * self._radians
                angles = np.stack([np.cos(turned), np.sin(turned)], axis=1)
            self._rope = np.ascontiguousarray(angles, np.float32)
        return self._rope


def _table_arrays(plan: NumberPlan) -> list[np.ndarray]:
    """rsqrt, reciprocal, SiLU, its derivative and powers of two, as ``Tables`` has them.

    SiLU is constant where the gate is at an end of its format.
    """
    index = np.arange(1 << plan.gate.width)
    half = len(index) // 2
    gate = plan.gate.real((index + half) % len(index) - half)
    sigmoid = 1 / (1 + np.exp(-gate))
    slope = sigmoid * (1 + gate * (1 - sigmoid))
    slope[[half - 1, half]] = 0.0
    return [
        RSQRT.astype(np.float32),
        RECIPROCAL.astype(np.float32),
        plan.silu.real(silu_table(plan)).astype(np.float32),
        slope.astype(np.float32),
        exp2_table(plan).astype(np.int32),
    ]
