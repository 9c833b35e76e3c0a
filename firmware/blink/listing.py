# SPDX-License-Identifier: MIT
"""An image as text that a person can follow: sizes, formats, block table, cycles of each step."""

from collections.abc import Iterable
from dataclasses import replace

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.layout import ALIGN, ROWS, Layout, align
from glintfpga.firmware.blink.schedule import step_cycles, token_cycles
from glintfpga.quant.blink.limits import check_lanes
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.errors import InputError

__all__ = ["listing"]

_SHIFTS = ("k", "q", "v", "gate", "up", "down")
_FORMATS = ("x", "h", "qk", "v", "rope", "gate", "silu", "up", "z", "logit")
_PASS_STEPS = ("norm and q, k, v", "attention", "feed-forward")


def listing(image: Image, lanes: int, position: int | None = None) -> str:
    """Describe an image as a device with this many lanes runs it: lines of at most 100 columns.

    Cycles are those of ``firmware.blink.schedule`` at the first position of a context, at the one
    that fills the window, and at ``position``. Raises ``InputError`` for lanes that no device has
    and for a position below 1.
    """
    check_lanes(lanes)
    if position is not None and position < 1:
        raise InputError(f"position must be at least 1, not {position!r}")
    model, layout = image.model, image.layout
    positions = sorted({1, model.window} | ({position} if position else set()))
    parts = [
        _heading(image),
        _numbers(model),
        _rows(model, layout),
        _block_table(model, layout, lanes),
        _cycles(model, lanes, positions),
    ]
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts) + "\n"


def _heading(image: Image) -> list[str]:
    model, spec = image.model, image.model.spec
    eos = "none" if model.eos is None else str(model.eos)
    passes = f"{spec.prelude} prelude + {spec.loops} loops + {spec.coda} coda"
    rope = f"{model.rope_num}/{model.rope_den} of a turn a token"
    return [
        f"Model {image.model_id}",
        f"  {spec.passes} passes ({passes}), hidden {spec.hidden}, window {spec.window}",
        f"  vocabulary {spec.vocab}, EOS {eos}, thinking {model.thinking}, RoPE {rope}",
        f"  LoRA rank {spec.lora_rank} on {', '.join(spec.lora_targets) or 'nothing'}",
    ]


def _numbers(model: QuantizedModel) -> list[str]:
    plan = model.plan
    formats = [f"{name} {getattr(plan, name)}" for name in _FORMATS]
    formats += [f"p u{plan.weight_p_frac + 1}.{plan.weight_p_frac}"]
    return [
        f"Number plan {plan.code}: weights of {plan.weight_width} bits; width.fraction of the rest",
        *("  " + "".join(f"{text:14}" for text in formats[at : at + 6]) for at in (0, 6)),
    ]


def _rows(model: QuantizedModel, layout: Layout) -> list[str]:
    first = layout.passes[0].kv
    used = first + layout.ring_rows * len(model.passes)
    return [
        f"Rows: {used} of {ROWS} used",
        f"  dot bank: {layout.dot_rows} of weights, output rows from {layout.out_base}",
        f"  sum bank: {layout.sum_rows} of down columns",
        f"  both:     {len(model.passes)} KV rings of {layout.ring_rows} from {first}",
    ]


def _block_table(model: QuantizedModel, layout: Layout, lanes: int) -> list[str]:
    def place(row: int) -> str:
        return f"{row:>5} @{row // lanes:<4}"

    def descriptor(bases: Iterable[int], shifts: Iterable[int]) -> str:
        return "".join(map(place, bases)) + " " + "".join(f"{shift:>3}" for shift in shifts)

    lines = [
        f"Block table: the first row of each matrix @ its address in each of {lanes} banks, and",
        f"the right shifts of its products. q lies {ALIGN} rows after k, v' {2 * ALIGN}.",
        "pass"
        + "".join(f"{name:>5}{'':6}" for name in ("k", "gate", "up", "down", "ring"))
        + "   k  q  v  g  u  d   loop embedding",
    ]
    for index, (place_of, weights) in enumerate(zip(layout.passes, model.passes, strict=True)):
        up = place_of.gate + align(weights.hidden)
        bases = (place_of.qkv, place_of.gate, up, place_of.down, place_of.kv)
        shifts = (getattr(weights, f"shift_{name}") for name in _SHIFTS)
        loop = " ".join(f"{value:>6}" for value in weights.loop_embedding)
        lines.append(f"{index:>4}{descriptor(bases, shifts)} {loop}")
    out = f"{layout.out_base} @{layout.out_base // lanes}"
    lines.append(f"logits: {model.vocab} rows from {out}, shift {model.shift_logit}")
    return lines


def _cycles(model: QuantizedModel, lanes: int, positions: list[int]) -> list[str]:
    spec = model.spec
    single = replace(spec, thinking=0)
    heading, units = "", ""
    rows: dict[str, str] = {}
    for position in positions:
        heading += f"{f'position {position}':>24}"
        units += f"{'a pass':>12}{'a token':>12}"
        a_pass = step_cycles(single, lanes, position)
        for step, cycles in step_cycles(spec, lanes, position).items():
            each = str(a_pass[step] // spec.passes) if step in _PASS_STEPS else ""
            rows[step] = rows.get(step, "") + f"{each:>12}{cycles:>12}"
        each_total = sum(a_pass[step] for step in _PASS_STEPS) // spec.passes
        total = token_cycles(spec, lanes, position)
        rows["total"] = rows.get("total", "") + f"{each_total:>12}{total:>12}"
    runs = spec.passes * (1 + spec.thinking)
    return [
        f"Cycles with {lanes} lanes; a token runs {runs} passes",
        f"  {'':18}{heading}",
        f"  {'':18}{units}",
        *(f"  {step:18}{row}" for step, row in rows.items()),
    ]
