# SPDX-License-Identifier: MIT
"""The bytes of an image `.glint`: sections, header and limits of its size.

    0                96                               size-4    size
    | header 96 bytes | rows, 6 bytes each ...        | CRC-32  |

A row is three int16, little-endian. Rows come in sections, which are also the load targets of the
device: CONFIG, TABLE (the block table), DOT, SUM, EMBED, ROPE. Everything is little-endian:

    offset  type    field
         0  4s      magic "GLNT"
         4  u16     version, header size (96)
         8  u8 x 8  loops, lora rank, lora targets, hidden, prelude, coda, thinking, plan
        16  u16 x 5 vocab, window, eos (0xFFFF: none), rope numerator, rope denominator
        26  u16 x 5 passes, DOT rows, SUM rows, EMBED rows, ROPE rows
        36  u32 x 3 golden CRCs for 2, 4 and 8 lanes, see `firmware.blink.golden`
        48  16      zero
        64  32s     model id: sha256 of the file without its CRC, this field taken as zeros

LoRA targets are bits 0..6 (q, k, v, o, gate, up, down); bit 7 says that the model was trained on
dialogues, in the form of `quant.chat_template`. The device ignores that byte, but its hello carries
it, so that a chat can write its questions in the form that the model was trained on.

CONFIG has three rows, TABLE three per pass. Bases are row numbers / 8. Shifts are less the least
one: ``min_shift`` of the plan, but ``min_sum_shift`` for sd, the shift of down:

    CONFIG  (out base, vocab, logit shift | thinking << 8)
            (window, rope numerator, rope denominator)
            (eos, passes, 0)
    TABLE   (qkv base, gate base, down base)
            (kv base, sk | sq << 4 | sv << 8, sg | su << 4 | sd << 8 | (hidden - 1) << 12)
            (loop embedding)

In the dot bank, K lies at the qkv base, Q at +8, V' at +16; up lies ceil8(hidden) after gate.
Down columns lie in the sum bank. Each matrix starts at a multiple of 8 rows and is padded with
zero rows. KV rings take ceil8(window) rows from the kv base in both banks; they are not in the
file. `docs/image.md` has the values of the shipped model.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from glintfpga.firmware.blink.layout import MAX_ROPE_DEN, MAX_VOCAB, ROWS
from glintfpga.quant.blink.limits import LIMITS, check_fits
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import NumberPlan, plan_of
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.errors import InputError

__all__ = [
    "CONFIG_ROWS",
    "HEADER_BYTES",
    "MAGIC",
    "MAX_BYTES",
    "NO_EOS",
    "ROWS_PER_PASS",
    "ROW_BYTES",
    "VERSION",
    "ImageHeader",
    "Section",
    "is_for_chat",
    "model_id_of",
    "pack_header",
    "unpack_header",
    "vocab_of",
]

MAGIC = b"GLNT"
VERSION = 2
HEADER_BYTES = 96
ROW_BYTES = 6
CONFIG_ROWS = 3
ROWS_PER_PASS = 3
"""Of the block table."""
NO_EOS = 0xFFFF

_MAX_ROWS = CONFIG_ROWS + LIMITS.passes * ROWS_PER_PASS + 2 * ROWS + MAX_VOCAB + MAX_ROPE_DEN
MAX_BYTES = HEADER_BYTES + ROW_BYTES * _MAX_ROWS + 4

_HEADER = struct.Struct("<4sHH8B10H3I16x32s")
_TARGETS_AT = 10
_VOCAB_AT = 16
_ID_AT = 64
_CHAT = 0x80


class Section(IntEnum):
    """Sections of an image in file order; also the load targets of the core."""

    CONFIG = 0
    TABLE = 1
    DOT = 2
    SUM = 3
    EMBED = 4
    ROPE = 5


_COUNTED = (Section.DOT, Section.SUM, Section.EMBED, Section.ROPE)
"""Sections whose numbers of rows stand in the header."""


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What a header says."""

    spec: ModelSpec
    plan: NumberPlan
    rope_num: int
    rope_den: int
    rows: dict[Section, int]
    """By section, in file order."""
    golden: tuple[int, ...]
    """For each of `firmware.blink.golden.GOLDEN_LANES`."""


def pack_header(
    model: QuantizedModel, rows: dict[Section, int], golden: tuple[int, ...], digest: bytes
) -> bytes:
    """The header of a model with that many rows in its sections, and this id."""
    spec = model.spec
    targets = sum(1 << LORA_TARGETS.index(name) for name in spec.lora_targets)
    targets |= _CHAT * spec.chat
    eos = NO_EOS if model.eos is None else model.eos
    return _HEADER.pack(
        MAGIC,
        VERSION,
        HEADER_BYTES,
        *(spec.loops, spec.lora_rank, targets, spec.hidden, spec.prelude, spec.coda),
        *(model.thinking, model.plan.code),
        *(spec.vocab, spec.window, eos, model.rope_num, model.rope_den),
        *(len(model.passes), *(rows[section] for section in _COUNTED)),
        *golden,
        digest,
    )


def unpack_header(data: bytes) -> ImageHeader:
    """Read the header at the start of ``data``.

    Raises ``InputError`` for anything this version does not read.
    """
    if len(data) < HEADER_BYTES and MAGIC.startswith(data[:4]):
        raise InputError(f"not a .glint image: it ends after {len(data)} bytes, within the header")
    if len(data) < HEADER_BYTES or data[:4] != MAGIC:
        raise InputError(f"not a .glint image: it starts with {data[:4]!r}, not {MAGIC!r}")
    _, version, size, *f = _HEADER.unpack_from(data)
    if (version, size) != (VERSION, HEADER_BYTES):
        raise InputError(f"image version {version} is not {VERSION}: quantize the model again")
    if any(data[48:_ID_AT]):
        raise InputError("reserved bytes 48..63 of the header are not zero: the image is damaged")
    loops, rank, mask, hidden, prelude, coda, thinking, plan = f[:8]
    vocab, window, eos, rope_num, rope_den, passes, *counts = f[8:18]
    spec = ModelSpec(
        loops=loops,
        lora_rank=rank,
        lora_targets=tuple(t for i, t in enumerate(LORA_TARGETS) if mask >> i & 1),
        hidden=hidden,
        vocab=vocab,
        window=window,
        prelude=prelude,
        coda=coda,
        thinking=thinking,
        eos=None if eos == NO_EOS else eos,
        chat=is_for_chat(data),
    )
    check_fits(spec)
    if passes != spec.passes:
        raise InputError(f"the header counts {passes} passes but its spec has {spec.passes}")
    rows = {Section.CONFIG: CONFIG_ROWS, Section.TABLE: ROWS_PER_PASS * passes}
    return ImageHeader(
        spec=spec,
        plan=plan_of(plan),
        rope_num=rope_num,
        rope_den=rope_den,
        rows=rows | dict(zip(_COUNTED, counts, strict=True)),
        golden=tuple(f[18:21]),
    )


def vocab_of(header: bytes) -> int:
    """The vocabulary in an image's header; 0 in the blank one of a device without a model."""
    return int.from_bytes(header[_VOCAB_AT : _VOCAB_AT + 2], "little")


def is_for_chat(header: bytes) -> bool:
    """Whether the model of an image's header was trained on dialogues."""
    return bool(header[_TARGETS_AT] & _CHAT)


def model_id_of(header: bytes) -> str:
    """The model id in an image's header, or at the start of a file, in hexadecimal."""
    return header[_ID_AT:HEADER_BYTES].hex()
