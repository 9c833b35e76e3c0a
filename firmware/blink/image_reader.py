# SPDX-License-Identifier: MIT
"""Bytes back to an image: every field checked, then compared with what the writer would write."""

import hashlib
import zlib

import numpy as np

from glintfpga.firmware.blink.image import (
    HEADER_BYTES,
    MAX_BYTES,
    ROW_BYTES,
    Image,
    Section,
    unpack_header,
)
from glintfpga.firmware.blink.layout import ROWS, align
from glintfpga.quant.blink.model import PassWeights, QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan, plan_of
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError

__all__ = ["read_image"]


def read_image(data: bytes) -> Image:
    """Parse an image. Raises ``InputError`` for anything but the canonical bytes of a model.

    Its golden values are taken as they are: whether they are right is for a self-test to say.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"an image has at most {MAX_BYTES} bytes, this has more")
    spec, (plan, rope_num, rope_den), counts = unpack_header(data)
    size = HEADER_BYTES + ROW_BYTES * sum(counts.values()) + 4
    if len(data) != size:
        raise InputError(f"the image has {len(data)} bytes where its header promises {size}")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise InputError("the CRC-32 at the end of the image is wrong: it is damaged")
    blank = data[:64] + bytes(32) + data[96:-4]
    if hashlib.sha256(blank).digest() != data[64:96]:
        raise InputError("the model id is not that of the content: the image is damaged")
    sections = _split(data, counts)
    model = _model(spec, plan, rope_num, rope_den, sections)
    image = Image(model, data)
    if Image.with_golden(model, image.golden).data != data:
        raise InputError("the image is not in canonical form: quantize the model again")
    return image


def _split(data: bytes, counts: dict[Section, int]) -> dict[Section, np.ndarray]:
    rows = np.frombuffer(data[HEADER_BYTES:-4], "<i2").reshape(-1, 3).astype(np.int64)
    ends = np.cumsum([counts[section] for section in Section])
    return dict(zip(Section, np.split(rows, ends[:-1]), strict=True))


def _model(
    spec: ModelSpec,
    plan: int,
    rope_num: int,
    rope_den: int,
    sections: dict[Section, np.ndarray],
) -> QuantizedModel:
    config = sections[Section.CONFIG] & 0xFFFF
    if not 1 <= rope_den <= 1024 or not 0 <= rope_num < rope_den:
        raise InputError(f"rope step {rope_num}/{rope_den} is not a fraction of at most /1024")
    table = sections[Section.TABLE].reshape(-1, 3, 3)
    out_base = int(config[0, 0]) * 8
    embed_out = _rows(sections[Section.DOT], out_base, spec.vocab)
    if len(sections[Section.ROPE]) != rope_den or len(sections[Section.EMBED]) != spec.vocab:
        raise InputError("embedding or rope rows do not match the header: the image is damaged")
    limit = 1 << (plan_of(plan).weight_width - 1)
    for section in (Section.DOT, Section.SUM, Section.ROPE):
        values = sections[section]
        if values.size and (values.min() < -limit or values.max() >= limit):
            raise InputError(f"section {section.name} has a number outside the {plan}-bit plan")
    shifts = int(config[0, 2])
    if shifts & 0xFF >= 1 << plan_of(plan).shift_bits:
        raise InputError(f"no lane can shift logits by {shifts & 0xFF:#x}: the image is damaged")
    passes = tuple(_pass(plan_of(plan), d, sections) for d in table)
    if any(weights.hidden != spec.hidden for weights in passes):
        raise InputError("a pass has not the hidden size of the header: the image is damaged")
    if any(weights.shift_down < 0 for weights in passes):
        raise InputError("a pass shifts its down products left: the image is damaged")
    return QuantizedModel(
        spec=spec,
        plan=plan_of(plan),
        rope_num=rope_num,
        rope_den=rope_den,
        passes=passes,
        embed_in=sections[Section.EMBED],
        embed_out=embed_out,
        shift_logit=(shifts & 15) + plan_of(plan).min_shift,
        rope_table=sections[Section.ROPE][:, :2],
        eos=spec.eos,
        thinking=spec.thinking,
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
