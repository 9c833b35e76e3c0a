# SPDX-License-Identifier: MIT
"""One token through the first pass, number by number: ``python docs/worked_token.py``.

The numbers are those of the shipped model with four lanes. What is worked out here step by step is
compared with the integer reference before anything is printed.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from glintfpga.firmware.blink.schedule import Loop, Rows, ScheduleWord, build_schedule, step_cycles
from glintfpga.host.models import image_of
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.tables import silu_table
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.qformat import QFormat, shift_round
from glintfpga.quant.numbers.sampler import Sampler

LANES = 4
TEXT = b"the "
TEMPERATURE = 205  # 0.8 * 256
SEED = 1


def attention_rows(model: QuantizedModel, weights: PassWeights, position: int):
    """h, q, k, v' of a position in the first pass; of q and k two rows, before and after RoPE."""
    plan = model.plan
    x = model.embed_in[TEXT[position]]
    h = blocks.rmsnorm(plan, x + weights.loop_embedding)
    turn = model.rope_table[position * model.rope_num % model.rope_den]
    k = blocks.requantize(blocks.dot(weights.wk, h), weights.shift_k, plan.qk)
    q = blocks.requantize(blocks.dot(weights.wq, h), weights.shift_q, plan.qk)
    v = blocks.requantize(blocks.dot(weights.wv, h), weights.shift_v, plan.v)
    k, q = (np.stack([row, blocks.rope(plan, row, turn)]) for row in (k, q))
    return h, q, k, v


def cycles_of(
    words: tuple[ScheduleWord, ...], groups: int, hidden_groups: int, least: int
) -> list[Rows]:
    """What a pass issues to the lanes, one entry per cycle, with the repeats played."""
    issued: list[Rows] = []
    for word in words:
        if word.loop is Loop.SELF:
            issued += [word.rows] * max(least, groups)
        elif word.loop is Loop.PAIR:
            issued += [Rows.UP] + [Rows.GATE, Rows.UP] * (hidden_groups - 1)
        else:
            issued.append(word.rows)
    return issued


def line(name: str, values: Sequence[object] | np.ndarray, note: str = "") -> str:
    numbers = "".join(f"{value!s:>10}" for value in values)
    return f"{name:<32}{numbers:<42}{note}".rstrip()


def reals(fmt: QFormat, values: np.ndarray) -> str:
    return f"{fmt}: " + ", ".join(f"{value:.3f}" for value in fmt.real(values))


def timeline(model: QuantizedModel) -> list[str]:
    schedule = build_schedule(LANES)
    hidden_groups = -(-model.spec.hidden // LANES)
    issued = cycles_of(
        schedule.words[schedule.passes : schedule.logits],
        1,
        hidden_groups,
        schedule.min_score_groups,
    )
    steps = step_cycles(model.spec, LANES, len(TEXT))
    names = ("norm and q, k, v", "attention", "feed-forward")
    assert len(issued) == sum(steps[name] for name in names) // model.spec.passes
    letters = {Rows.NONE: ".", Rows.SCORE: "S", Rows.GATE: "G", Rows.UP: "U"}
    picture = "".join(letters.get(rows, rows.name[0]) for rows in issued)
    marks = "".join(f"{cycle:<10}" for cycle in range(0, len(issued), 10))
    total = " + ".join(f"{cycles} {name}" for name, cycles in steps.items())
    return [
        f"rows issued to the lanes in the {len(issued)} cycles of a pass:",
        f"  {picture}",
        f"  {marks.rstrip()}",
        f"a token: {total} = {sum(steps.values())} cycles",
    ]


def attention(model: QuantizedModel) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Lines of the first half of pass 0, x after it, and the softmax weights p."""
    plan, weights = model.plan, model.passes[0]
    last = len(TEXT) - 1
    rows = [attention_rows(model, weights, position) for position in range(len(TEXT))]
    x, (h, q, k, v) = model.embed_in[TEXT[last]], rows[last]
    products = np.stack([row[2][1] for row in rows]) @ q[1]
    state = blocks.Softmax.start(())
    running_max, p = blocks.group_weights(plan, products, np.ones(LANES, bool), state.running_max)
    state = blocks.accumulate(state, running_max, p, np.stack([row[3] for row in rows]))
    quotient = blocks.attention_output(plan, state)
    after = blocks.residual_add(plan, x, quotient)
    turned = last * model.rope_num % model.rope_den
    score = shift_round(products, 2 * plan.qk.frac - plan.score_frac)
    lines = [
        line("x = embedding row of the token", x, reals(plan.x, x)),
        line("  + loop embedding", weights.loop_embedding),
        line("h = RMSNorm", h, reals(plan.h, h)),
        "",
        line("", [f"lane {lane}" for lane in range(LANES)]),
        line("K rows . h", blocks.dot(weights.wk, h), f">> {weights.shift_k}"),
        line("  k", k[0], str(plan.qk)),
        line("Q rows . h", blocks.dot(weights.wq, h), f">> {weights.shift_q}"),
        line("  q", q[0], str(plan.qk)),
        line("V' rows . h", blocks.dot(weights.wv, h), f">> {weights.shift_v}"),
        line("  v', into the V ring", v, str(plan.v)),
        line("k turned, into the K ring", k[1], f"RoPE: {turned}/{model.rope_den} of a turn"),
        line("q turned", q[1]),
        line("K ring . q, positions 0 to 3", products),
        line("  scores, in eighths", score, f"the highest is below {running_max}"),
        line(f"  p = 2^(score - {running_max}), in 256ths", p),
        "",
        line("sum of p v'", state.values, f"sum of p: {state.denominator}"),
        line("  their quotient", quotient, reals(plan.x, quotient)),
        line("x + quotient", after, reals(plan.x, after)),
    ]
    return lines, after, p


def feed_forward(model: QuantizedModel, x: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Lines of the second half of pass 0, and x after it."""
    plan, weights = model.plan, model.passes[0]
    h = blocks.rmsnorm(plan, x)
    gate = blocks.requantize(blocks.dot(weights.gate, h), weights.shift_gate, plan.gate)
    up = blocks.requantize(blocks.dot(weights.up, h), weights.shift_up, plan.up)
    silu = silu_table(plan)[gate & ((1 << plan.gate.width) - 1)]
    z = blocks.swiglu(plan, gate, up)
    down = blocks.dot(weights.down, z)
    after = blocks.residual_add(plan, x, shift_round(down, weights.shift_down))
    lines = [line("h = RMSNorm", h, reals(plan.h, h)), ""]
    lines += [line("", [f"lane {lane}" for lane in range(LANES)])]
    for first in range(0, len(z), LANES):
        group = slice(first, first + LANES)
        hidden = f"hidden {first} to {min(first + LANES, len(z)) - 1}"
        lines += [
            line(f"gate rows . h, {hidden}", gate[group], str(plan.gate)),
            line("  SiLU of them", silu[group], str(plan.silu)),
            line("up rows . h", up[group], str(plan.up)),
            line("  z = SiLU * up", z[group], str(plan.z)),
        ]
    lines += [
        "",
        line("sum of z times down columns", down, f">> {weights.shift_down}"),
        line("x after pass 0", after, reals(plan.x, after)),
    ]
    return lines, after


def stopped_after(model: QuantizedModel, passes: int, seen: list[np.ndarray]) -> ReferenceModel:
    """The reference with only the first passes, which has taken the whole text."""
    part = replace(model, passes=model.passes[:passes])
    reference = ReferenceModel(
        part, lanes=LANES, observer=lambda index, rows, running_max, p: seen.append(p[0])
    )
    reference.prefill(np.frombuffer(TEXT, np.uint8).astype(np.int64))
    return reference


def rest(model: QuantizedModel) -> list[str]:
    """The other passes, the logits and the choice, from the reference."""
    plan, lines = model.plan, []
    for passes in range(2, len(model.passes) + 1):
        reference = stopped_after(model, passes, [])
        lines.append(line(f"x after pass {passes - 1}", reference.x[0]))
    h = blocks.rmsnorm(plan, reference.x[0])
    logits = reference.logits()[0]
    best = np.argsort(-logits, kind="stable")[:5]
    shown = ", ".join(f"{bytes([token])!r} {logits[token]}" for token in best.tolist())
    drawn = Sampler(SEED).sample(logits, TEMPERATURE)
    return [
        *lines,
        line("h = RMSNorm", h, reals(plan.h, h)),
        f"highest of {model.vocab} logits, {plan.logit}: {shown}",
        f"CRC-32 of all logits: {logit_crc(logits):#010x}",
        f"temperature 0 takes {bytes([int(best[0])])!r}; 0.8 with seed {SEED} {bytes([drawn])!r}",
    ]


def main() -> None:
    model = image_of(None).model
    lines, middle, p = attention(model)
    more, after = feed_forward(model, middle)
    seen: list[np.ndarray] = []
    assert np.array_equal(stopped_after(model, 1, seen).x[0], after)
    assert np.array_equal(seen[-1], p)
    last = TEXT[-1:]
    head = f"text {TEXT!r}, token {len(TEXT) - 1}: {last!r}, id {last[0]}; {LANES} lanes"
    print("\n".join([head, "", *lines, *more, "", *rest(model), "", *timeline(model)]))


if __name__ == "__main__":
    main()
