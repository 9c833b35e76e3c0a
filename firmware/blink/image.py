# SPDX-License-Identifier: MIT
"""The image `.glint`: a quantized model as canonical bytes, the same for every lane count.

    0                96                               size-4    size
    | header 96 bytes | rows, 6 bytes each ...        | CRC-32  |

A row is three int16, little-endian. Rows come in sections, which are also the load targets of the
device: CONFIG, TABLE (the block table), K, V, EMBED, ROPE. Everything is little-endian:

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
dialogues, in the form of `quant.chat_template`. The device does not look at that byte, but its
hello carries it, so that a chat with any device knows how to ask.

CONFIG has three rows, TABLE three a pass. Bases are row numbers / 8. Shifts are less the least one:
``min_shift`` of the plan, but ``min_sum_shift`` for sd, the shift of down:

    CONFIG  (out base, vocab, logit shift | thinking << 8)
            (window, rope numerator, rope denominator)
            (eos, passes, 0)
    TABLE   (qkv base, gate base, down base)
            (kv base, sk | sq << 4 | sv << 8, sg | su << 4 | sd << 8 | (hidden - 1) << 12)
            (loop embedding)

In dot bank, K lies at the qkv base, Q at +8, V' at +16; up lies ceil8(hidden) after gate. Down
columns lie in sum bank. Each matrix starts at a multiple of 8 rows and is padded with zero rows.
KV rings take ceil8(window) rows from the kv base in both spaces; they are not in the file.
`docs/image.md` has the values of the shipped model.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from glintfpga.firmware.blink.golden import golden_crcs
from glintfpga.firmware.blink.layout import ROWS, Layout
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.plan import plan_of
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.errors import InputError

__all__ = [
    "HEADER_BYTES",
    "MAGIC",
    "NO_EOS",
    "ROW_BYTES",
    "VERSION",
    "Image",
    "Section",
    "is_for_chat",
    "model_id_of",
]

MAGIC = b"GLNT"
VERSION = 2
HEADER_BYTES = 96
ROW_BYTES = 6
NO_EOS = 0xFFFF
_HEADER = struct.Struct("<4sHH8B10H3I16x32s")
_CONFIG_ROWS = 3
_ROWS_PER_PASS = 3
_TARGETS_AT = 10
_CHAT = 0x80


class Section(IntEnum):
    """Sections of an image in file order; also the load targets of the core."""

    CONFIG = 0
    TABLE = 1
    DOT = 2
    SUM = 3
    EMBED = 4
    ROPE = 5


@dataclass(frozen=True, eq=False)
class Image:
    """A model with its bytes. Build one with ``from_model`` or ``from_bytes``."""

    model: QuantizedModel = field(repr=False)
    data: bytes = field(repr=False)

    @classmethod
    def from_model(cls, model: QuantizedModel) -> "Image":
        """Lay a model out and serialize it. Raises ``InputError`` when it does not fit."""
        cls.with_golden(model, (0, 0, 0))  # refuses what the reference could not compute either
        return cls.with_golden(model, golden_crcs(model))

    @classmethod
    def with_golden(cls, model: QuantizedModel, golden: tuple[int, ...]) -> "Image":
        """As `from_model`, with golden values that are not computed but given."""
        layout = Layout.of(model)
        sections = _sections(model, layout)
        rows = np.concatenate([sections[section] for section in Section])
        if rows.min() < -(1 << 15) or rows.max() >= 1 << 15:
            raise InputError("a number of the model does not fit 16 bits: quantize it again")
        body = rows.astype("<i2").tobytes()
        blank = _header(model, sections, golden, bytes(32))
        digest = hashlib.sha256(blank + body).digest()
        data = _header(model, sections, golden, digest) + body
        return cls(model, data + zlib.crc32(data).to_bytes(4, "little"))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Image":
        """Parse and check every field. Raises ``InputError`` with what is wrong."""
        from glintfpga.firmware.blink.image_reader import read_image

        return read_image(data)

    @classmethod
    def read(cls, path: Path | str) -> "Image":
        """Read a `.glint` file. Raises ``InputError`` for one that cannot be read or is damaged."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read {str(path)!r}: {reason}") from error
        try:
            return cls.from_bytes(data)
        except InputError as error:
            raise InputError(f"{str(path)!r}: {error}") from error

    @property
    def header(self) -> bytes:
        return self.data[:HEADER_BYTES]

    @property
    def model_id(self) -> str:
        """Hash in the header, in hexadecimal: what a device says it holds.

        It is not that of the whole file, which `sha256sum` prints.
        """
        return model_id_of(self.header)

    @property
    def crc(self) -> int:
        """The CRC-32 at the end of the file."""
        return int.from_bytes(self.data[-4:], "little")

    @property
    def golden(self) -> tuple[int, ...]:
        """What the self-test compares with, for `firmware.blink.golden.GOLDEN_LANES`."""
        return tuple(_HEADER.unpack_from(self.data)[21:24])

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.model)

    @cached_property
    def sections(self) -> dict[Section, np.ndarray]:
        """Rows (n, 3) of each section, int64."""
        return _sections(self.model, self.layout)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)


MAX_BYTES = HEADER_BYTES + ROW_BYTES * (_CONFIG_ROWS + 16 * _ROWS_PER_PASS + 2 * ROWS + 1536) + 4


def _header(
    model: QuantizedModel,
    sections: dict[Section, np.ndarray],
    golden: tuple[int, ...],
    digest: bytes,
) -> bytes:
    spec = model.spec
    targets = sum(1 << LORA_TARGETS.index(name) for name in spec.lora_targets)
    targets |= _CHAT * spec.chat
    eos = NO_EOS if model.eos is None else model.eos
    counts = [len(sections[s]) for s in (Section.DOT, Section.SUM, Section.EMBED, Section.ROPE)]
    return _HEADER.pack(
        MAGIC,
        VERSION,
        HEADER_BYTES,
        *(spec.loops, spec.lora_rank, targets, spec.hidden, spec.prelude, spec.coda),
        *(model.thinking, model.plan.code),
        *(spec.vocab, spec.window, eos, model.rope_num, model.rope_den),
        *(len(model.passes), *counts),
        *golden,
        digest,
    )


def _sections(model: QuantizedModel, layout: Layout) -> dict[Section, np.ndarray]:
    rope = np.zeros((model.rope_den, 3), np.int64)
    rope[:, :2] = model.rope_table
    return {
        Section.CONFIG: _config(model, layout),
        Section.TABLE: np.concatenate(
            [_descriptor(model, layout, i) for i in range(len(model.passes))]
        ),
        Section.DOT: layout.dot_bank(model),
        Section.SUM: layout.sum_bank(model),
        Section.EMBED: model.embed_in,
        Section.ROPE: rope,
    }


def _signed16(value: int) -> int:
    return value - (1 << 16) if value >= 1 << 15 else value


def _config(model: QuantizedModel, layout: Layout) -> np.ndarray:
    shift_logit = model.shift_logit - model.plan.min_shift
    shifts = shift_logit | model.thinking << 8
    eos = NO_EOS if model.eos is None else model.eos
    rows = [
        (layout.out_base // 8, model.vocab, shifts),
        (model.window, model.rope_num, model.rope_den),
        (_signed16(eos), len(model.passes), 0),
    ]
    return np.array(rows, np.int64)


def _descriptor(model: QuantizedModel, layout: Layout, index: int) -> np.ndarray:
    weights = model.passes[index]
    place = layout.passes[index]
    k, q, v, gate, up = (
        getattr(weights, f"shift_{name}") - model.plan.min_shift
        for name in ("k", "q", "v", "gate", "up")
    )
    down = weights.shift_down - model.plan.min_sum_shift
    ffn = gate | up << 4 | down << 8 | (weights.hidden - 1) << 12
    rows = [
        (place.qkv // 8, place.gate // 8, place.down // 8),
        (place.kv // 8, k | q << 4 | v << 8, _signed16(ffn)),
        tuple(int(value) for value in weights.loop_embedding),
    ]
    return np.array(rows, np.int64)


def is_for_chat(header: bytes) -> bool:
    """Whether the model of an image's header was trained on dialogues."""
    return bool(header[_TARGETS_AT] & _CHAT)


def model_id_of(header: bytes) -> str:
    """The model id in an image's header, or at the start of a file, in hexadecimal."""
    return header[64:96].hex()


def unpack_header(data: bytes) -> tuple[ModelSpec, tuple[int, ...], dict[Section, int]]:
    """Header fields: (spec, (plan, rope numerator, rope denominator), rows by section).

    Raises ``InputError`` for anything this version does not read.
    """
    if len(data) < HEADER_BYTES or data[:4] != MAGIC:
        raise InputError(f"not a .glint image: it starts with {data[:4]!r}, not {MAGIC!r}")
    _, version, size, *f = _HEADER.unpack_from(data)
    if (version, size) != (VERSION, HEADER_BYTES):
        raise InputError(f"image version {version} is not {VERSION}: quantize the model again")
    if any(data[48:64]):
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
    if passes != spec.passes:
        raise InputError(f"the header counts {passes} passes but its spec has {spec.passes}")
    plan_of(plan)
    rows = {Section.CONFIG: _CONFIG_ROWS, Section.TABLE: _ROWS_PER_PASS * passes}
    rows |= dict(zip((Section.DOT, Section.SUM, Section.EMBED, Section.ROPE), counts, strict=True))
    return spec, (plan, rope_num, rope_den), rows
