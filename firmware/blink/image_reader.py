# SPDX-License-Identifier: MIT
"""Bytes of an image back to the model, every field checked."""

import hashlib
import zlib

import numpy as np

from glintfpga.firmware.blink.image_format import (
    HEADER_BYTES,
    MAX_BYTES,
    ROW_BYTES,
    ImageHeader,
    Section,
    unpack_header,
)
from glintfpga.firmware.blink.layout import MAX_ROPE_DEN, ROWS, align
from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.errors import InputError

__all__ = ["read_model"]


def read_model(data: bytes) -> QuantizedModel:
    """Parse an image. Raises ``InputError`` for one that is damaged or breaks a rule.

    What may still differ from the canonical bytes of the model is for the caller to compare.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"an image has at most {MAX_BYTES} bytes, this has more")
    header = unpack_header(data)
    size = HEADER_BYTES + ROW_BYTES * sum(header.rows.values()) + 4
    if len(data) != size:
        raise InputError(f"the image has {len(data)} bytes where its header promises {size}")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise InputError("the CRC-32 at the end of the image is wrong: it is damaged")
    blank = data[:64] + bytes(32) + data[96:-4]
    if hashlib.sha256(blank).digest() != data[64:96]:
        raise InputError("the model id is not that of the content: the image is damaged")
    return _model(header, _split(data, header.rows))


def _split(data: bytes, counts: dict[Section, int]) -> dict[Section, np.ndarray]:
    rows = np.frombuffer(data[HEADER_BYTES:-4], "<i2").reshape(-1, 3).astype(np.int64)
    ends = np.cumsum([counts[section] for section in Section])
    return dict(zip(Section, np.split(rows, ends[:-1]), strict=True))


def _model(header: ImageHeader, sections: dict[Section, np.ndarray]) -> QuantizedModel:
    spec, plan = header.spec, header.plan
    rope_num, rope_den = header.rope_num, header.rope_den
    if not 1 <= rope_den <= MAX_ROPE_DEN or not 0 <= rope_num < rope_den:
        raise InputError(
            f"rope step {rope_num}/{rope_den} is not a fraction of at most /{MAX_ROPE_DEN}"
        )
    config = sections[Section.CONFIG] & 0xFFFF
    table = sections[Section.TABLE].reshape(-1, 3, 3)
    out_base = int(config[0, 0]) * 8
    embed_out = _rows(sections[Section.DOT], out_base, spec.vocab)
    if len(sections[Section.ROPE]) != rope_den or len(sections[Section.EMBED]) != spec.vocab:
        raise InputError("embedding or rope rows do not match the header: the image is damaged")
    _check_widths(plan, sections)
    shifts = int(config[0, 2])
    if shifts & 0xFF >= 1 << plan.shift_bits:
        raise InputError(f"no lane can shift logits by {shifts & 0xFF:#x}: the image is damaged")
    passes = tuple(_pass(plan, descriptor, sections) for descriptor in table)
    if any(weights.hidden != spec.hidden for weights in passes):
        raise InputError("a pass has not the hidden size of the header: the image is damaged")
    if any(weights.shift_down < 0 for weights in passes):
        raise InputError("a pass shifts its down products left: the image is damaged")
    return QuantizedModel(
        spec=spec,
        plan=plan,
        rope_num=rope_num,
        rope_den=rope_den,
        passes=passes,
        embed_in=sections[Section.EMBED],
        embed_out=embed_out,
        shift_logit=(shifts & 15) + plan.min_shift,
        rope_table=sections[Section.ROPE][:, :2],
        eos=spec.eos,
        thinking=spec.thinking,
    )


def _check_widths(plan: NumberPlan, sections: dict[Section, np.ndarray]) -> None:
    limit = 1 << (plan.weight_width - 1)
    for section in (Section.DOT, Section.SUM, Section.ROPE):
        values = sections[section]
        if values.size and (values.min() < -limit or values.max() >= limit):
            raise InputError(
                f"section {section.name} has a number outside the {plan.code}-bit plan"
            )


def _rows(bank: np.ndarray, base: int, count: int) -> np.ndarray:
    if base + count > len(bank) or len(bank) > ROWS:
        raise InputError(f"rows {base}..{base + count - 1} lie outside the image: it is damaged")
    return bank[base : base + count]


def _pass(
    plan: NumberPlan, descriptor: np.ndarray, sections: dict[Section, np.ndarray]
) -> PassWeights:
    bases, fields = (descriptor[:2] & 0xFFFF).tolist()
    qkv, gate, down = (base * 8 for base in bases)
    attention, ffn = fields[1:]
    hidden = (ffn >> 12) + 1
    dot_bank, sum_bank = sections[Section.DOT], sections[Section.SUM]

    def shift(packed: int, place: int) -> int:
        steps = packed >> 4 * place & 15
        if steps >= 1 << plan.shift_bits:
            raise InputError(f"no lane can shift by {steps:#x} steps: the image is damaged")
        return steps + plan.min_shift

    return PassWeights(
        wk=_rows(dot_bank, qkv, 3),
        wq=_rows(dot_bank, qkv + 8, 3),
        wv=_rows(dot_bank, qkv + 16, 3),
        gate=_rows(dot_bank, gate, hidden),
        up=_rows(dot_bank, gate + align(hidden), hidden),
        down=_rows(sum_bank, down, hidden).T,
        loop_embedding=descriptor[2],
        shift_k=shift(attention, 0),
        shift_q=shift(attention, 1),
        shift_v=shift(attention, 2),
        shift_gate=shift(ffn, 0),
        shift_up=shift(ffn, 1),
        shift_down=(ffn >> 8 & 15) + plan.min_sum_shift,
    )
