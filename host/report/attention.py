# SPDX-License-Identifier: MIT
"""Picture of attention: what each byte of a prompt looks at, in every pass."""

import numpy as np
from numpy.typing import NDArray

from glintfpga.host.report.markup import Markup, element, figure, formatted, join
from glintfpga.quant.blink.blocks import MAX_RESCALE
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.errors import InputError

__all__ = ["MAX_PROMPT", "attention_picture", "attention_weights", "prompt_ids"]

MAX_PROMPT = 32
"""Bytes; more would be too small to read on a telephone."""

_CELL = 10
_STRONG = 0.5


def prompt_ids(prompt: str, vocab: int) -> list[int]:
    """The bytes of a prompt as ids. Raises ``InputError`` when they do not fit picture or model."""
    ids = list(prompt.encode("utf-8", "surrogateescape"))
    if not 1 <= len(ids) <= MAX_PROMPT:
        raise InputError(
            f"the prompt must have 1 to {MAX_PROMPT} bytes, not {len(ids)}: {prompt!r:.60}"
        )
    if max(ids) >= vocab:
        raise InputError(f"byte {max(ids)} of the prompt is outside the vocabulary of {vocab} ids")
    return ids


def attention_weights(model: QuantizedModel, ids: list[int], *, lanes: int) -> NDArray[np.float64]:
    """Weights (passes, n, n) with which position i sums the value rows of positions j <= i.

    They are the integers p of the reference, group by group under the running maximum as on the
    chip, brought to the last maximum; each row is divided by its sum. What the rounding of
    rescaled sums adds is left out: it is not of one position.
    """
    window, count = model.window, len(ids)
    weights = np.zeros((len(model.passes), count, count))
    last_max = 0

    def observe(
        index: int, rows: slice, running_max: NDArray[np.int64], p: NDArray[np.int64]
    ) -> None:
        nonlocal last_max
        newest = reference.position
        row = weights[index, newest]
        rise = int(running_max[0]) - last_max
        row *= 2.0**-rise if rise <= MAX_RESCALE and row.any() else 0.0
        last_max = int(running_max[0])
        for slot, weight in zip(range(rows.start, rows.stop), p[0]):
            if weight:
                row[newest - (newest - slot) % window] = weight

    reference = ReferenceModel(model, lanes=lanes, observer=observe)
    reference.prefill(np.asarray(ids, np.int64))
    return weights / weights.sum(axis=-1, keepdims=True)


def attention_picture(
    weights: NDArray[np.float64], ids: list[int], *, window: int, lanes: int
) -> Markup:
    """One heat map per pass; a row is the window of one byte, which is the last in it."""
    width = min(window, len(ids))
    maps = [
        element(
            "div",
            element("h3", f"pass {index}"),
            _heat_map(index, of_pass, ids, width),
            class_="pass",
        )
        for index, of_pass in enumerate(weights)
    ]
    caption = (
        f"Each row is what one byte sees: the {width} bytes up to itself, which comes last. "
        "The stronger the color, the more of that byte's value is taken. Computed by the integer "
        f"reference with {lanes} lanes, whose numbers the simulated gateware equals bit for bit: "
        "its softmax weights p, each row divided by its sum."
    )
    grid = element("div", *maps, class_="passes", style=f"--columns:{width}")
    return figure("attention", "Where it looks", grid, caption)


def _heat_map(index: int, weights: NDArray[np.float64], ids: list[int], width: int) -> Markup:
    rows = []
    for i, row in enumerate(weights):
        cells: list[str] = []
        for column in range(width):
            j = i - width + 1 + column
            if j >= 0:
                cells.append(_cell(column, i, float(row[j]), _shown(ids[j]), i - j))
        rows.append(element("g", *cells, class_="row"))
    text = "".join(map(_shown, ids))
    return element(
        "svg",
        *rows,
        viewBox=f"0 0 {width * _CELL} {len(ids) * _CELL}",
        role="img",
        aria_label=f"Attention of pass {index} over {text}",
    )


def _cell(column: int, row: int, weight: float, text: str, back: int) -> Markup:
    x, y = column * _CELL, row * _CELL
    strong = " strong" if weight > _STRONG else ""
    return join(
        element(
            "rect",
            element("title", f"{text}, {back} back: {100 * weight:.1f} %"),
            x=x,
            y=y,
            width=_CELL - 0.6,
            height=_CELL - 0.6,
            fill_opacity=formatted(weight),
        ),
        element("text", text, x=x + 4.7, y=y + 7.2, class_=f"byte{strong}"),
    )


def _shown(token: int) -> str:
    if token == 0x20:
        return "␣"
    return chr(token) if 0x20 < token < 0x7F else f"{token:02x}"
