# SPDX-License-Identifier: MIT
"""Samples of a model, float and fixed from the same noise."""

from typing import Any

from glintfpga.firmware.blink.numerics import FloatNumerics, ReferenceNumerics
from glintfpga.firmware.device.loaded_model import Numerics
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.chat_template import question
from glintfpga.quant.numbers.formats import TEMPERATURE
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["QUESTIONS", "side_by_side", "written"]

QUESTIONS = ("Hello!", "What is a river?", "Can you find me a table for two?")
"""Prompts of a model for chat, one per seed."""


def side_by_side(
    plain: FloatNumerics,
    fixed: ReferenceNumerics,
    *,
    spec: ModelSpec,
    seeds: tuple[int, ...] = (1, 2, 3),
    count: int = 200,
    temperature: float = 0.8,
) -> list[dict[str, Any]]:
    """One object per seed: seed, temperature, bytes, question, the texts ``float`` and ``fixed``.

    They are what ``glintfpga generate float:`` and ``ref:`` give for these numbers, for a model
    for chat with the question and a newline as the prompt, for others without one. Bytes that are
    no UTF-8 are shown as the replacement character.
    """
    whole = int(TEMPERATURE.quantize(temperature))
    asked = QUESTIONS if spec.chat else ("",) * len(seeds)
    samples = []
    for seed, text in zip(seeds, asked, strict=True):
        prompt = question(text.encode()) if text else b""
        found = {
            name: written(model, seed, count, whole, spec.eos, prompt).decode("utf-8", "replace")
            for name, model in (("float", plain), ("fixed", fixed))
        }
        samples.append(
            {"seed": seed, "temperature": temperature, "bytes": count, "question": text, **found}
        )
    return samples


def written(
    model: Numerics, seed: int, count: int, temperature: int, eos: int | None, prompt: bytes = b""
) -> bytes:
    """At most ``count`` bytes after a prompt, or after EOS; ``temperature`` is T * 256."""
    sampler = Sampler(seed)
    model.clear()
    for token in prompt or (0 if eos is None else eos,):
        model.enter(token)
    text = bytearray()
    while len(text) < count:
        token = sampler.sample(model.logits(), temperature)
        if token == eos:
            break
        text.append(token & 0xFF)
        model.enter(token)
    return bytes(text)
