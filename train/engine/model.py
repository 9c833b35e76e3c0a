# SPDX-License-Identifier: MIT
"""blink in PyTorch: the plain form of the network, for any ``Shape``.

It is the reference of the fused kernel and what runs on a GPU. Parameters have the names and
shapes of the checkpoint (``ModelSpec.tensor_shapes``); matrices are (out, in).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glintfpga.quant.blink.float_model import EPSILON
from glintfpga.train.engine.parameters import initial_spread
from glintfpga.train.engine.range_penalty import RangePenalty
from glintfpga.train.engine.shape import Shape

__all__ = ["Blink", "loss"]

_ROPE_BASE = 1e7

KVCache = list[tuple[Tensor, Tensor]]
"""Keys and values of earlier positions, a pair for each pass."""


class Block(nn.Module):
    """Attention and SwiGLU with their norms; the LoRA of a loop is a parameter."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        dim, hidden = shape.dim, shape.hidden
        self.shape = shape
        self.attention = _tensors(q=(dim, dim), k=(dim, dim), v=(dim, dim), o=(dim, dim))
        self.ffn = _tensors(gate=(hidden, dim), up=(hidden, dim), down=(dim, hidden))
        self.norm = _tensors(attention=(dim,), ffn=(dim,))


class Blink(Block):
    """A token runs through prelude blocks, ``loops`` passes of one shared block, and coda blocks.

    The module itself is the shared block. Without ``thinking`` all positions run side by side.
    With it, the last x of each position is fed back as the next input ``thinking`` times; each time
    takes a position of its own in the cache of later tokens, so positions run one after another.
    Only the next token's loss trains the thoughts.
    """

    def __init__(self, shape: Shape, *, seed: int = 0, rope_radians_per_token: float = 1.0) -> None:
        super().__init__(shape)
        rank = shape.embedding_rank or shape.dim
        sizes = {"gate": (shape.hidden, shape.dim), "up": (shape.hidden, shape.dim),
                 "down": (shape.dim, shape.hidden)}  # fmt: skip
        self.rope_radians_per_token = rope_radians_per_token
        self.embedding = _tensor(shape.vocab, rank)
        if shape.embedding_rank:
            self.embedding_up = _tensor(shape.dim, rank)
        self.loop_embedding = _tensor(shape.loops, shape.dim)
        self.logit_scale = _tensor(1)
        self.norm["final"] = _tensor(shape.dim)
        self.prelude = nn.ModuleList(Block(shape) for _ in range(shape.prelude))
        self.coda = nn.ModuleList(Block(shape) for _ in range(shape.coda))
        self.lora = nn.ModuleList()
        for _ in range(shape.loops if shape.lora_targets else 0):
            adapters = nn.ModuleDict()
            for name in shape.lora_targets:
                rows, columns = sizes.get(name, (shape.dim, shape.dim))
                adapters[name] = _tensors(a=(shape.lora_rank, columns), b=(rows, shape.lora_rank))
            self.lora.append(adapters)
        self._initialize(seed)

    def _initialize(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            mean, deviation = initial_spread(name, tuple(parameter.shape))
            fresh = torch.randn(parameter.shape, generator=generator) * deviation + mean
            parameter.data.copy_(fresh)

    def forward(self, tokens: Tensor, watch: "Watch | None" = None) -> Tensor:
        """Tokens (batch, length) -> base-e logits (batch, length, vocab)."""
        x = F.embedding(tokens, self.embedding)
        if self.shape.embedding_rank:
            x = x @ self.embedding_up.T
        if not self.shape.thinking:
            return self._logits(self._run(x, 0, None, watch))
        cache: KVCache = []
        last = []
        for t in range(tokens.shape[1]):
            thought = x[:, t : t + 1]
            for step in range(1 + self.shape.thinking):
                position = t * (1 + self.shape.thinking) + step
                thought = self._run(thought, position, cache, watch)
            last.append(thought)
        return self._logits(torch.cat(last, dim=1))

    def _run(self, x: Tensor, start: int, cache: KVCache | None, watch: "Watch | None") -> Tensor:
        """x of positions ``start`` and following, (batch, length, dim), through all passes."""
        passes: list[tuple[Block, int | None]] = [
            *((block, None) for block in self.prelude),
            *((self, loop) for loop in range(self.shape.loops)),
            *((block, None) for block in self.coda),
        ]
        for index, (block, loop) in enumerate(passes):
            shifted = x if loop is None else x + self.loop_embedding[loop]
            h = rms_norm(shifted) * block.norm["attention"]
            x = x + self._attend(block, loop, index, h, start, cache, watch)
            _watch(watch, "x", x)
            h = rms_norm(x) * block.norm["ffn"]
            gate = self._project(block, loop, "gate", h)
            _watch(watch, "gate", F.relu(gate))
            z = F.silu(gate) * self._project(block, loop, "up", h)
            _watch(watch, "z", z)
            x = x + self._project(block, loop, "down", z)
            _watch(watch, "x", x)
        return x

    def _attend(
        self, block: Block, loop: int | None, index: int, h: Tensor, start: int,
        cache: KVCache | None, watch: "Watch | None",
    ) -> Tensor:  # fmt: skip
        heads, window = self.shape.heads, self.shape.window
        q, k, v = (
            self._project(block, loop, name, h).unflatten(-1, (heads, -1)).transpose(1, 2)
            for name in "qkv"
        )
        angles = self._angles(start, h.shape[1], q.shape[-1]).to(h)
        q, k = rotate(q, angles), rotate(k, angles)
        _watch(watch, "qk", q * (math.log2(math.e) / math.sqrt(q.shape[-1])))
        _watch(watch, "qk", k)
        if cache is not None:
            if index < len(cache):
                k, v = torch.cat([cache[index][0], k], 2), torch.cat([cache[index][1], v], 2)
            k, v = k[:, :, -window:], v[:, :, -window:]
            cache[index : index + 1] = [(k, v)]
        queries = torch.arange(q.shape[2], device=h.device) + k.shape[2] - q.shape[2]
        back = queries[:, None] - torch.arange(k.shape[2], device=h.device)
        seen = (back >= 0) & (back < window)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self._project(block, loop, "o", mixed.transpose(1, 2).flatten(2))

    def _project(self, block: Block, loop: int | None, name: str, h: Tensor) -> Tensor:
        """h through the block's projection, with the LoRA of a loop."""
        weights = block.attention if name in block.attention else block.ffn
        out = h @ weights[name].T
        if loop is None or name not in self.shape.lora_targets:
            return out
        adapter = self.lora[loop][name]
        return out + h @ adapter["a"].T @ adapter["b"].T

    def _angles(self, start: int, length: int, size: int) -> Tensor:
        """Angles (length, pairs) by which positions turn the pairs of a head's dimensions."""
        exponent = torch.arange(size // 2, dtype=torch.float64) * 2 / size
        position = torch.arange(start, start + length, dtype=torch.float64)
        return position[:, None] * self.rope_radians_per_token * _ROPE_BASE**-exponent

    def _logits(self, x: Tensor) -> Tensor:
        h = rms_norm(x) * self.norm["final"]
        if self.shape.embedding_rank:
            h = h @ self.embedding_up
        return self.logit_scale * (h @ self.embedding.T)


class Watch:
    """Adds up the range penalty while a model runs; ``total`` is its mean over tokens."""

    def __init__(self, penalty: RangePenalty, tokens: int) -> None:
        self._limits = {name: getattr(penalty, name) for name in ("qk", "gate", "z", "x")}
        self._weight = penalty.weight / tokens
        self.total: Tensor | float = 0.0

    def add(self, name: str, values: Tensor) -> None:
        """Add the penalty of values of one kind."""
        excess = F.relu(values.abs() - self._limits[name])
        self.total = self.total + self._weight / 2 * excess.square().sum()


def loss(
    model: Blink, tokens: Tensor, penalty: RangePenalty | None = None
) -> tuple[Tensor, Tensor | float]:
    """Mean next-token loss in nats and mean penalty, over tokens (batch, length + 1)."""
    targets = tokens[:, 1:]
    watch = Watch(penalty, targets.numel()) if penalty else None
    logits = model(tokens[:, :-1], watch)
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return nll, watch.total if watch else 0.0


def rms_norm(x: Tensor) -> Tensor:
    """``x / sqrt(mean(x**2) + 1e-5)`` over the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)


def rotate(vectors: Tensor, angles: Tensor) -> Tensor:
    """Turn the pairs of (..., length, size) by angles (length, pairs); an odd last one stays."""
    paired = 2 * angles.shape[-1]
    a, b = vectors[..., 0:paired:2], vectors[..., 1:paired:2]
    cos, sin = angles.cos(), angles.sin()
    turned = torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    return torch.cat([turned, vectors[..., paired:]], dim=-1)


def _watch(watch: Watch | None, name: str, values: Tensor) -> None:
    if watch:
        watch.add(name, values)


def _tensor(*size: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(size))


def _tensors(**sizes: tuple[int, ...]) -> nn.ParameterDict:
    return nn.ParameterDict({name: _tensor(*size) for name, size in sizes.items()})
