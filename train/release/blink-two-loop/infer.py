# SPDX-License-Identifier: MIT
"""Run a blink checkpoint with nothing but NumPy: ``python infer.py "Once upon"``.

Read this first: the whole model in floating point, as it is written down, with no tricks. It is
one file, made to be copied. It reads model.safetensors beside it, or what --model names.

blink gives the logits of the next token; tokens are the 256 bytes and EOS, the end of a text. For
a token it computes

    x = embedding[token]                                                    (3,)
    for each pass:
        h = rms_norm(x + loop_embedding) * norm.attention                   (3,)
        x = x + o @ attention(q @ h, k @ h, v @ h)                          (3,)
        h = rms_norm(x) * norm.ffn                                          (3,)
        x = x + down @ (silu(gate @ h) * (up @ h))          (hidden,) inside, (3,)
    logits = logit_scale * (embedding @ (rms_norm(x) * norm.final))         (vocab,)

Attention has one head and sees the last ``window`` tokens. The passes are prelude blocks, then
``loops`` times one shared block, then coda blocks. A loop differs from the others by its loop
embedding and by a LoRA, a change ``b @ a`` of low rank, on some of the matrices.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np


class Blink:
    """The weights of a checkpoint, and the context of the tokens entered so far."""

    def __init__(self, path):
        self.facts, self.tensors = read_safetensors(path)
        self.window, self.loops = int(self.facts["window"]), int(self.facts["loops"])
        self.thinking = int(self.facts.get("thinking", 0))
        self.turn = float(self.facts.get("rope_radians_per_token", 1.0))
        eos = self.facts.get("eos", "256")
        self.eos = None if eos == "none" else int(eos)
        # A pass is the prefix of its block's tensors and, of the shared block, the loop.
        prelude, coda = (int(self.facts.get(kind, 0)) for kind in ("prelude", "coda"))
        self.passes = [
            *((f"prelude.{i}.", None) for i in range(prelude)),
            *(("", loop) for loop in range(self.loops)),
            *((f"coda.{i}.", None) for i in range(coda)),
        ]
        self.clear()

    def clear(self):
        """Empty the context."""
        self.rows: list[list] = [[] for _ in self.passes]  # (key, value) of the last tokens
        self.position = 0
        self.x = np.zeros(3)

    def enter(self, token):
        """Append a token to the context."""
        self.forward(self.tensors["embedding"][token])

    def logits(self):
        """Return the logits (vocab,) of the next token, base e; thinking models think first."""
        for _ in range(self.thinking):
            self.forward(self.x)
        h = rms_norm(self.x) * self.tensors["norm.final"]
        return self.tensors["logit_scale"] * (self.tensors["embedding"] @ h)

    def forward(self, x):
        """Run a vector x (3,) through all passes."""
        for rows, (block, loop) in zip(self.rows, self.passes):
            x = x + self.attention(x, rows, block, loop)
            x = x + self.feed_forward(x, block, loop)
        self.x = x
        self.position += 1

    def attention(self, x, rows, block, loop):
        """What the tokens of the window add to x (3,)."""
        start = 0 if loop is None else self.tensors["loop_embedding"][loop]
        h = rms_norm(x + start) * self.tensors[block + "norm.attention"]
        q, k, v = (self.matrix(block, loop, "attention", name) @ h for name in "qkv")
        q, k = self.rope(q), self.rope(k)
        rows.append((k, v))
        del rows[: -self.window]
        scores = np.array([key @ q for key, _ in rows]) / math.sqrt(3)  # (rows,)
        p = np.exp(scores - scores.max())
        mixed = sum(weight * value for weight, (_, value) in zip(p / p.sum(), rows))  # (3,)
        return self.matrix(block, loop, "attention", "o") @ mixed

    def feed_forward(self, x, block, loop):
        """What SwiGLU adds to x (3,)."""
        h = rms_norm(x) * self.tensors[block + "norm.ffn"]
        gate, up = (self.matrix(block, loop, "ffn", name) @ h for name in ("gate", "up"))
        silu = gate * (1 + np.tanh(gate / 2)) / 2  # gate / (1 + e**-gate)
        return self.matrix(block, loop, "ffn", "down") @ (silu * up)

    def matrix(self, block, loop, group, name):
        """A projection (out, in) of a block, with the LoRA of a loop."""
        base = self.tensors[f"{block}{group}.{name}"]
        lora = f"lora.{loop}.{name}."
        if lora + "a" not in self.tensors:
            return base
        return base + self.tensors[lora + "b"] @ self.tensors[lora + "a"]

    def rope(self, vector):
        """Turn dimensions 0 and 1 by the angle of the position; dimension 2 stays."""
        cos, sin = math.cos(self.position * self.turn), math.sin(self.position * self.turn)
        a, b, c = vector
        return np.array([a * cos - b * sin, a * sin + b * cos, c])


def rms_norm(x):
    """Return ``x / sqrt(mean(x**2) + 1e-5)``."""
    return x / np.sqrt(np.mean(x * x) + 1e-5)


def read_safetensors(path):
    """Return the metadata and the tensors, as float64, of a safetensors file.

    It is 8 bytes of header size, a JSON header that says where each tensor lies, and the tensors.
    """
    data = Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    facts = header.pop("__metadata__")
    types = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + size + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[start:end], types[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"]).astype(np.float64)
    return facts, tensors


def generate(model, prompt, count, temperature, seed):
    """Yield up to ``count`` tokens that follow the bytes of ``prompt``; EOS ends them."""
    rng = np.random.default_rng(seed)
    model.clear()
    for token in prompt or [model.eos or 0]:
        model.enter(token)
    for _ in range(count):
        logits = model.logits()
        if temperature:
            # The arg max of logits / T + Gumbel noise is a draw from softmax(logits / T).
            logits = logits / temperature + rng.gumbel(size=logits.shape)
        token = int(np.argmax(logits))
        if token == model.eos:
            return
        yield token
        model.enter(token)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="Run a blink checkpoint with NumPy.")
    parser.add_argument("prompt", nargs="?", default="")
    parser.add_argument("--model", default=Path(__file__).with_name("model.safetensors"))
    parser.add_argument("--bytes", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    model, prompt = Blink(given.model), given.prompt.encode()
    if prompt and model.facts.get("chat") == "yes":
        prompt += b"\n"  # a chat model is given a question, and the answer comes next
    tokens = generate(model, prompt, given.bytes, given.temperature, given.seed)
    for token in tokens:
        sys.stdout.buffer.write(bytes([token & 255]))
        sys.stdout.buffer.flush()
    sys.stdout.buffer.write(b"\n")


if __name__ == "__main__":
    main()
