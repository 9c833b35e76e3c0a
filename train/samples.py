# SPDX-License-Identifier: MIT
"""Texts that a model writes, float and fixed from the same noise."""

from __future__ import annotations

from typing import Any

from glintfpga.firmware.numerics import FloatNumerics, Numerics, ReferenceNumerics
from glintfpga.quant.plan import PLAN12
from glintfpga.quant.sampler import Sampler

__all__ = ["side_by_side", "written"]


def side_by_side(
    plain: FloatNumerics,
    fixed: ReferenceNumerics,
    *,
    eos: int | None,
    seeds: tuple[int, ...] = (1, 2, 3),
    count: int = 200,
    temperature: float = 0.8,
) -> list[dict[str, Any]]:
    """One object a seed: seed, temperature, bytes, and the texts ``float`` and ``fixed``.

    They are what ``glintfpga generate float:`` and ``ref:`` give for these numbers without a
    prompt. Bytes that are no UTF-8 are shown as the replacement character.
    """
    whole = int(PLAN12.temperature.quantize(temperature))
    return [
        {
            "seed": seed,
            "temperature": temperature,
            "bytes": count,
            "float": written(plain, seed, count, whole, eos).decode("utf-8", "replace"),
            "fixed": written(fixed, seed, count, whole, eos).decode("utf-8", "replace"),
        }
        for seed in seeds
    ]


def written(
    model: Numerics, seed: int, count: int, temperature: int, eos: int | None
) -> bytes:
    """Up to ``count`` bytes from an empty context; ``temperature`` is T * 256."""
    sampler = Sampler(seed)
    model.clear()
    model.enter(0 if eos is None else eos)
    text = bytearray()
    while len(text) < count:
        token = sampler.sample(model.logits(), temperature)
        if token == eos:
            break
        text.append(token & 0xFF)
        model.enter(token)
    return bytes(text)
