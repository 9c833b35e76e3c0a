# SPDX-License-Identifier: MIT
"""The integer reference: what a device with P lanes computes, to the last bit.

It runs many sequences at once along a batch axis (all at the same position), so scoring a whole
corpus takes minutes; with a batch of one it is the oracle of every hardware test.
"""

from collections.abc import Callable

import numpy as np

from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.limits import check_lanes
from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.qformat import QFormat, shift_round

__all__ = ["Observer", "ReferenceModel"]

Observer = Callable[[int, slice, np.ndarray, np.ndarray], None]
"""Called with pass, ring slots of one softmax group, running maximum (batch,), p (batch, P)."""


class ReferenceModel:
    """A device's model state: residual x, KV rings, position.

    ``model`` is what the image holds; ``lanes`` is P, which fixes the order of softmax groups;
    ``observer`` sees every group. Raises ``InputError`` for a P that no device has.
    """

    def __init__(
        self,
        model: QuantizedModel,
        *,
        lanes: int,
        batch: int = 1,
        observer: Observer | None = None,
    ) -> None:
        check_lanes(lanes)
        self.model = model
        self.plan = model.plan
        self.lanes = lanes
        self.batch = batch
        self._observe: Observer = observer or (lambda index, rows, running_max, p: None)
        self.reset()

    def reset(self, batch: int | None = None) -> None:
        """Empty the context; optionally change the number of parallel sequences."""
        self.batch = self.batch if batch is None else batch
        slots = -(-self.model.window // self.lanes) * self.lanes
        shape = (len(self.model.passes), self.batch, slots, 3)
        self._keys = np.zeros(shape, np.int64)
        self._values = np.zeros(shape, np.int64)
        self.x = np.zeros((self.batch, 3), np.int64)
        self.position = 0

    def enter(self, ids: np.ndarray | int) -> None:
        """Run one token of each sequence through all passes. ids: (batch,)."""
        tokens = np.broadcast_to(np.asarray(ids, np.int64), (self.batch,))
        if tokens.min() < 0 or tokens.max() >= self.model.vocab:
            raise InputError(f"token id outside 0..{self.model.vocab - 1}: {tokens.tolist()!r}")
        self.x = self.model.embed_in[tokens]
        self._run_passes()

    def logits(self) -> np.ndarray:
        """Think if the model does, then final norm and logits (batch, vocab), base 2."""
        for _ in range(self.model.thinking):
            self._run_passes()
        h = blocks.rmsnorm(self.plan, self.x)
        products = blocks.dot(self.model.embed_out, h)
        return blocks.requantize(products, self.model.shift_logit, self.plan.logit)

    def step(self, ids: np.ndarray | int) -> np.ndarray:
        """``enter`` and ``logits``."""
        self.enter(ids)
        return self.logits()

    def prefill(self, ids: np.ndarray) -> None:
        """Enter a sequence (n,), or (batch, n), without logits."""
        for column in np.atleast_2d(ids).T:
            self.enter(column)

    def score(self, ids: np.ndarray) -> np.ndarray:
        """Teacher-forced logits of one sequence (n,) -> (n, vocab); the batch must be 1."""
        return np.concatenate([self.step(int(token)) for token in ids])

    def _run_passes(self) -> None:
        model = self.model
        phase = self.position * model.rope_num % model.rope_den
        for index, weights in enumerate(model.passes):
            self._attend(index, weights, model.rope_table[phase])
            self._feed_forward(weights)
        self.position += 1

    def _attend(self, index: int, weights: PassWeights, cos_sin: np.ndarray) -> None:
        plan = self.plan
        h = blocks.rmsnorm(plan, self.x + weights.loop_embedding)

        def project(matrix: np.ndarray, shift: int, fmt: QFormat) -> np.ndarray:
            return blocks.requantize(blocks.dot(matrix, h), shift, fmt)

        k = blocks.rope(plan, project(weights.wk, weights.shift_k, plan.qk), cos_sin)
        q = blocks.rope(plan, project(weights.wq, weights.shift_q, plan.qk), cos_sin)
        slot = self.position % self.model.window
        keys, values = self._keys[index], self._values[index]
        keys[:, slot] = k
        values[:, slot] = project(weights.wv, weights.shift_v, plan.v)
        state = blocks.Softmax.start((self.batch,))
        for group in self._groups():
            rows = slice(group * self.lanes, (group + 1) * self.lanes)
            products = (keys[:, rows] * q[:, None]).sum(axis=-1)
            running_max, p = blocks.group_weights(
                plan, products, self._valid(rows), state.running_max
            )
            self._observe(index, rows, running_max, p)
            state = blocks.accumulate(state, running_max, p, values[:, rows])
        self.x = blocks.residual_add(plan, self.x, blocks.attention_output(plan, state))

    def _groups(self) -> list[int]:
        """Groups in the order they stream: oldest first, the newest row's group last."""
        newest = self.position % self.model.window // self.lanes
        if self.position < self.model.window:
            return list(range(newest + 1))
        count = -(-self.model.window // self.lanes)
        return [(newest + 1 + i) % count for i in range(count)]

    def _valid(self, rows: slice) -> np.ndarray:
        """(P,) slots that hold a row; the others of a group get weight 0."""
        slots = np.arange(rows.start, rows.stop)
        return slots < min(self.position + 1, self.model.window)

    def _feed_forward(self, weights: PassWeights) -> None:
        plan = self.plan
        h = blocks.rmsnorm(plan, self.x)
        gate = blocks.requantize(blocks.dot(weights.gate, h), weights.shift_gate, plan.gate)
        up = blocks.requantize(blocks.dot(weights.up, h), weights.shift_up, plan.up)
        z = blocks.swiglu(plan, gate, up)
        total = blocks.dot(weights.down, z)
        delta = shift_round(total, weights.shift_down)
        self.x = blocks.residual_add(plan, self.x, delta)
