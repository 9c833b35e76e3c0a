# SPDX-License-Identifier: MIT
"""Float checkpoint to integers: fractions, shifts, and a report of what that costs.

- Each matrix of each pass takes the finest fraction that holds its largest weight in the plan's
  width and keeps the requantization shift within the plan's range. Equal matrices get
  equal integers, so an image stores a shared block once.
- A power of two moves from q to k in each pass so that both use their range alike; attention
  scores do not change. A model trained in the device's numbers keeps the powers it was trained
  with: one such model had learned with a clipped q, and moving one more power clipped k instead,
  which raised its perplexity by 19 % (measured, 8 loops).
- The input embedding has the format of x.
- The RoPE step of 1 radian is 7/44 of a turn (0.9996) for windows up to 24 and 113/710 (six
  digits) for longer ones, where the error of 7/44 would add up.
"""

import math

import numpy as np

from glintfpga.quant.blink.calibrate import Ranges, calibrate, sampled_text
from glintfpga.quant.blink.checkpoint import MAX_QK_LOG2_SHIFT, Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.fold import FoldedModel, FoldedPass, fold
from glintfpga.quant.blink.limits import DEFAULT_LANES, check_fits
from glintfpga.quant.blink.model import IntArray, PassWeights, QuantizedModel
from glintfpga.quant.blink.plan import DEFAULT_PLAN, NumberPlan
from glintfpga.quant.blink.quantize_report import QuantizeReport, TensorRow, snr_db
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.tables import rope_table
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.arrays import FloatArray, IdArray
from glintfpga.quant.numbers.qformat import QFormat

__all__ = ["quantize", "rope_fraction"]


_ANY_FRAC = 18
_MOST_FRAC = 1000
"""2**1000 is a float64; numbers near 1e-300 would need more."""
_SHORT_WINDOW = 24
_SNR_SEQUENCES = 64


def quantize(
    checkpoint: Checkpoint,
    *,
    plan: NumberPlan = DEFAULT_PLAN,
    ids: IdArray | None = None,
    lanes: int = DEFAULT_LANES,
) -> tuple[QuantizedModel, QuantizeReport]:
    """Return the integer model and the report.

    ``ids`` (batch, length) is the calibration text, by default one that the model samples.
    ``lanes`` is the device whose logits the report compares with the float ones; the integers do
    not depend on it.

    Raises ``InputError`` for a model that no device holds, when the RoPE step is not 1 radian per
    token (within 0.1 %), or when an id of the calibration text is outside the vocabulary.
    """
    check_fits(checkpoint.spec)
    folded = fold(checkpoint)
    rope_num, rope_den = rope_fraction(checkpoint)
    tokens = sampled_text(checkpoint) if ids is None else ids
    ranges = calibrate(checkpoint, tokens)
    rows: list[TensorRow] = []
    qk_log2_shift = list(
        checkpoint.qk_log2_shift
        or (_best_qk_shift(ranges, index) for index in range(len(folded.passes)))
    )
    passes = tuple(
        _quantize_pass(plan, weights, index, qk_log2_shift[index], rows)
        for index, weights in enumerate(folded.passes)
    )
    embed_in, embed_out, shift_logit = _quantize_embeddings(plan, folded, rows)
    model = QuantizedModel(
        spec=checkpoint.spec,
        plan=plan,
        rope_num=rope_num,
        rope_den=rope_den,
        passes=passes,
        embed_in=embed_in,
        embed_out=embed_out,
        shift_logit=shift_logit,
        rope_table=rope_table(plan.rope, rope_den),
        eos=checkpoint.spec.eos,
        thinking=checkpoint.spec.thinking,
    )
    rows.extend(_value_rows(plan, ranges, qk_log2_shift))
    peak = max((_peak(value), name) for name, value in checkpoint.tensors.items())
    report = QuantizeReport(
        plan=plan.code,
        rope=f"{rope_num}/{rope_den}",
        balance=tuple(qk_log2_shift),
        logit_snr_db=_logit_snr(checkpoint, model, tokens[:_SNR_SEQUENCES], lanes),
        lanes=lanes,
        peak_tensor=peak[1],
        peak_ratio=peak[0],
        rows=tuple(rows),
    )
    return model, report


def rope_fraction(checkpoint: Checkpoint) -> tuple[int, int]:
    """Return numerator and denominator of the turn a token makes."""
    angle = checkpoint.rope_radians_per_token
    if abs(angle - 1) > 1e-3:
        raise InputError(
            f"the RoPE step must be 1 radian a token within 0.1 %, not {angle!r}: train with 1.0"
        )
    return (7, 44) if checkpoint.spec.window <= _SHORT_WINDOW else (113, 710)


def _best_qk_shift(ranges: Ranges, index: int) -> int:
    """Powers of two to move from q to k."""
    q, k = ranges.largest("q", index), ranges.largest("k", index)
    # Trained ranges differ by a few octaves; a dead q or k may have 1e-300.
    octaves = math.log2(q) - math.log2(k) if q and k else 0.0
    return max(-MAX_QK_LOG2_SHIFT, min(MAX_QK_LOG2_SHIFT, round(octaves / 2)))


class _Matrix:
    """One matrix in integers: ``frac`` as fine as its largest weight and the shift allow.

    ``shift = frac + in_frac - out_frac`` brings products back to the output format.
    """

    def __init__(
        self, name: str, index: int, real: FloatArray, plan: NumberPlan, in_frac: int, out_frac: int
    ) -> None:
        width = plan.weight_width
        lowest, highest = plan.min_shift, plan.max_shift
        if name == "down":
            lowest, highest = max(0, plan.min_sum_shift), plan.max_sum_shift
        out = out_frac - in_frac
        self.frac = min(max(finest_frac(real, width), lowest + out), highest + out)
        self.shift = self.frac + in_frac - out_frac
        fmt = QFormat(width, self.frac)
        self.stored: IntArray = fmt.quantize(real)
        self.row = _weight_row(name, index, real, fmt, self.stored)


def finest_frac(real: FloatArray, width: int) -> int:
    """Return the largest fraction at which ``width`` signed bits hold every number.

    Any fraction holds nothing but zeros; the answer then is ``_ANY_FRAC``.
    """
    largest = float(np.abs(real).max())
    if largest == 0.0:
        return _ANY_FRAC
    frac = min(width - math.frexp(largest)[1], _MOST_FRAC)
    while True:
        fmt = QFormat(width, frac)
        stored = _half_up(real, frac)
        if fmt.lo <= stored.min() and stored.max() <= fmt.hi:
            return frac
        frac -= 1


def _half_up(real: FloatArray, frac: int) -> FloatArray:
    """Nearest stored numbers before any saturation, still as floats."""
    return np.floor(real * math.ldexp(1.0, frac) + 0.5)


def _quantize_pass(
    plan: NumberPlan, weights: FoldedPass, index: int, qk_log2_shift: int, rows: list[TensorRow]
) -> PassWeights:
    h, qk = plan.h.frac, plan.qk.frac
    wq = _Matrix("wq", index, weights.wq * math.ldexp(1, -qk_log2_shift), plan, h, qk)
    wk = _Matrix("wk", index, weights.wk * math.ldexp(1, qk_log2_shift), plan, h, qk)
    wv = _Matrix("wv", index, weights.wv, plan, h, plan.v.frac)
    gate = _Matrix("gate", index, weights.gate, plan, h, plan.gate.frac)
    up = _Matrix("up", index, weights.up, plan, h, plan.up.frac)
    down = _Matrix("down", index, weights.down, plan, plan.z.frac, plan.x.frac)
    loop_embedding = plan.x.quantize(weights.loop_embedding)
    rows.extend(matrix.row for matrix in (wq, wk, wv, gate, up, down))
    rows.append(
        _weight_row("loop embedding", index, weights.loop_embedding, plan.x, loop_embedding)
    )
    return PassWeights(
        wq=wq.stored,
        wk=wk.stored,
        wv=wv.stored,
        gate=gate.stored,
        up=up.stored,
        down=down.stored,
        loop_embedding=loop_embedding,
        shift_q=wq.shift,
        shift_k=wk.shift,
        shift_v=wv.shift,
        shift_gate=gate.shift,
        shift_up=up.shift,
        shift_down=down.shift,
    )


def _quantize_embeddings(
    plan: NumberPlan, folded: FoldedModel, rows: list[TensorRow]
) -> tuple[IntArray, IntArray, int]:
    stored = plan.x.quantize(folded.embed_in)
    rows.append(_weight_row("embedding in", -1, folded.embed_in, plan.x, stored))
    out = _Matrix("embedding out", -1, folded.embed_out, plan, plan.h.frac, plan.logit.frac)
    rows.append(out.row)
    return stored, out.stored, out.shift


def _weight_row(
    name: str, index: int, real: FloatArray, fmt: QFormat, stored: IntArray
) -> TensorRow:
    return TensorRow(
        tensor=name,
        index=index,
        largest=float(np.abs(real).max()),
        format=str(fmt),
        saturated=int((_half_up(real, fmt.frac) != stored).sum()),
        count=int(real.size),
        snr_db=snr_db(real, fmt.real(stored)),
    )


def _peak(weights: FloatArray) -> float:
    """Largest magnitude over the median one of those that are not 0."""
    sizes = np.abs(weights[weights != 0])
    return float(sizes.max() / np.median(sizes)) if sizes.size else 0.0


def _value_rows(plan: NumberPlan, ranges: Ranges, qk_log2_shift: list[int]) -> list[TensorRow]:
    """Ranges of the computed values, against their formats; no value is rounded here."""
    score = QFormat(plan.value.width, plan.score_frac)
    formats = {
        "q": plan.qk, "k": plan.qk, "v": plan.v, "score": score, "x": plan.x,
        "gate": plan.gate, "up": plan.up, "z": plan.z, "logit": plan.logit,
    }  # fmt: skip
    rows = []
    for name, index in ranges:
        fmt = formats[name]
        moved = {"q": -qk_log2_shift[index], "k": qk_log2_shift[index]}.get(name, 0)
        rows.append(
            TensorRow(
                tensor=name,
                index=index,
                largest=math.ldexp(ranges.largest(name, index), moved),
                format=str(fmt),
                saturated=ranges.count_beyond(name, index, fmt.width - 1 - fmt.frac - moved),
                count=ranges.count(name, index),
                snr_db=None,
            )
        )
    return rows


def _logit_snr(checkpoint: Checkpoint, model: QuantizedModel, tokens: IdArray, lanes: int) -> float:
    """Signal is each position's logits less their mean: probabilities ignore a constant."""
    exact = FloatModel(checkpoint)
    fixed = ReferenceModel(model, lanes=lanes, batch=len(tokens))
    exact.reset(len(tokens))
    real, stored = [], []
    for column in tokens.T:
        real.append(exact.step(column) / math.log(2))
        stored.append(model.plan.logit.real(fixed.step(column)))
    a, b = np.stack(real), np.stack(stored)
    return snr_db(a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True))
