# SPDX-License-Identifier: MIT
"""The image `.glint`: a quantized model as canonical bytes, the same for every lane count.

`firmware.blink.image_format` has the format.
"""

import hashlib
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from glintfpga.firmware.blink.golden import golden_crcs
from glintfpga.firmware.blink.image_format import (
    HEADER_BYTES,
    MAX_BYTES,
    NO_EOS,
    Section,
    model_id_of,
    pack_header,
    unpack_header,
)
from glintfpga.firmware.blink.image_reader import read_model
from glintfpga.firmware.blink.layout import Layout
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import read_head

__all__ = ["Image"]


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
        counts = {section: len(sections[section]) for section in Section}
        blank = pack_header(model, counts, golden, bytes(32))
        digest = hashlib.sha256(blank + body).digest()
        data = pack_header(model, counts, golden, digest) + body
        return cls(model, data + zlib.crc32(data).to_bytes(4, "little"))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Image":
        """Parse and check every field. Raises ``InputError`` for any but the canonical bytes.

        Golden values are taken as they are: whether they are right is for a self-test to say.
        """
        image = cls(read_model(data), data)
        if cls.with_golden(image.model, image.golden).data != data:
            raise InputError("the image is not in canonical form: quantize the model again")
        return image

    @classmethod
    def read(cls, path: Path | str) -> "Image":
        """Read a `.glint` file. Raises ``InputError`` for one that cannot be read or is damaged."""
        data = read_head(path, MAX_BYTES + 1)
        try:
            return cls.from_bytes(data)
        except InputError as error:
            raise InputError(f"{str(path)!r}: {error}") from error

    @property
    def header(self) -> bytes:
        return self.data[:HEADER_BYTES]

    @property
    def model_id(self) -> str:
        """Hash in the header, in hexadecimal; a device reports it for its loaded model.

        It is not the hash of the whole file, which `sha256sum` prints.
        """
        return model_id_of(self.header)

    @property
    def crc(self) -> int:
        """The CRC-32 at the end of the file."""
        return int.from_bytes(self.data[-4:], "little")

    @property
    def golden(self) -> tuple[int, ...]:
        """What the self-test compares with, for `firmware.blink.golden.GOLDEN_LANES`."""
        return unpack_header(self.data).golden

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
