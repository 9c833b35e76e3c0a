# SPDX-License-Identifier: MIT
"""Run a blink checkpoint with nothing but NumPy: ``python infer.py "Once upon"``.

One file, made to be copied. It reads model.safetensors beside it, or what --model names, and
computes the network as it is written down, with no tricks: the place to read what blink is.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np


class Blink:
    """A token runs through prelude blocks, loops of one shared block, and coda blocks."""

    def __init__(self, path):
        data = Path(path).read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        self.facts = header.pop("__metadata__")
        types = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
        self.tensors = {}
        for name, entry in header.items():
            start, end = (8 + size + offset for offset in entry["data_offsets"])
            values = np.frombuffer(data[start:end], types[entry["dtype"]])
            self.tensors[name] = values.reshape(entry["shape"]).astype(np.float64)
        self.window, self.loops = int(self.facts["window"]), int(self.facts["loops"])
        self.thinking = int(self.facts.get("thinking", 0))
        self.turn = float(self.facts.get("rope_radians_per_token", 1.0))
        eos = self.facts.get("eos", "256")
        self.eos = None if eos == "none" else int(eos)
        own = [
            [f"{kind}.{i}." for i in range(int(self.facts.get(kind, 0)))]
            for kind in ("prelude", "coda")
        ]
        shared = [("", loop) for loop in range(self.loops)]
        self.passes = [*((p, None) for p in own[0]), *shared, *((p, None) for p in own[1])]
        self.clear()

    def clear(self):
        """Empty the context."""
        self.seen: list[list] = [[] for _ in self.passes]
        self.position = 0
        self.x = np.zeros(3)

    def enter(self, token):
        """Take one token into the context."""
        self.run(self.tensors["embedding"][token])

    def logits(self):
        """Think, if the model does, and return the logits (vocab,) of the next token, base e."""
        for _ in range(self.thinking):
            self.run(self.x)
        h = rms_norm(self.x) * self.tensors["norm.final"]
        return self.tensors["logit_scale"] * (self.tensors["embedding"] @ h)

    def run(self, x):
        """Take a vector (3,) through all passes."""
        for memory, (prefix, loop) in zip(self.seen, self.passes):
            start = 0 if loop is None else self.tensors["loop_embedding"][loop]
            h = rms_norm(x + start) * self.tensors[prefix + "norm.attention"]
            q, k, v = (self.weights(prefix, loop, "attention", name) @ h for name in "qkv")
            memory.append((self.rotated(k), v))
            del memory[: -self.window]
            scores = np.array([key @ self.rotated(q) for key, _ in memory]) / math.sqrt(3)
            p = np.exp(scores - scores.max())
            mixed = sum(weight * value for weight, (_, value) in zip(p / p.sum(), memory))
            x = x + self.weights(prefix, loop, "attention", "o") @ mixed
            h = rms_norm(x) * self.tensors[prefix + "norm.ffn"]
            gate, up = (self.weights(prefix, loop, "ffn", name) @ h for name in ("gate", "up"))
            silu = gate * (1 + np.tanh(gate / 2)) / 2
            x = x + self.weights(prefix, loop, "ffn", "down") @ (silu * up)
        self.x = x
        self.position += 1

    def weights(self, prefix, loop, group, name):
        """A projection, with the LoRA of a loop."""
        base = self.tensors[f"{prefix}{group}.{name}"]
        lora = f"lora.{loop}.{name}."
        if lora + "a" not in self.tensors:
            return base
        return base + self.tensors[lora + "b"] @ self.tensors[lora + "a"]

    def rotated(self, vector):
        """Dimensions 0 and 1 turned by the angle of the position (RoPE)."""
        cos, sin = math.cos(self.position * self.turn), math.sin(self.position * self.turn)
        a, b, c = vector
        return np.array([a * cos - b * sin, a * sin + b * cos, c])


def rms_norm(x):
    """Return ``x / sqrt(mean(x**2) + 1e-5)``."""
    return x / np.sqrt(np.mean(x * x) + 1e-5)


def generate(model, prompt, count, temperature, seed):
    """Yield up to ``count`` tokens behind the bytes of ``prompt``; the end of text ends it."""
    rng = np.random.default_rng(seed)
    model.clear()
    for token in prompt or [model.eos or 0]:
        model.enter(token)
    for _ in range(count):
        logits = model.logits()
        if temperature:
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
        prompt += b"\n"  # of a model for chat this is a question, and the answer comes next
    tokens = generate(model, prompt, given.bytes, given.temperature, given.seed)
    for token in tokens:
        sys.stdout.buffer.write(bytes([token & 255]))
        sys.stdout.buffer.flush()
    sys.stdout.buffer.write(b"\n")


if __name__ == "__main__":
    main()
