# SPDX-License-Identifier: MIT
import hashlib
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from glintfpga.firmware.blink.golden import golden_crcs
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import HEADER_BYTES, Section, is_for_chat, unpack_header
from glintfpga.firmware.blink.layout import Layout
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import LORA_TARGETS, PRESETS, ModelSpec
from glintfpga.quant.errors import InputError
from support.models import random_image, seeded_model

SPECS = {
    "blink": PRESETS["blink"],
    "two loops": PRESETS["blink-two-loop"],
    "least": ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None),
    "most": ModelSpec(loops=6, hidden=16, vocab=512, window=256, eos=511, thinking=2),
    "blocks": ModelSpec(
        prelude=2, loops=3, coda=1, hidden=9, vocab=33, window=24, eos=0, lora_rank=0,
        lora_targets=(),
    ),
}  # fmt: skip
both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
all_specs = pytest.mark.parametrize("name", SPECS)


def build(name="blink", plan=PLAN12, seed=1):
    return seeded_model(SPECS[name], plan, seed=seed)


def sealed(data):
    """Bytes with sha256 and CRC made right again."""
    data = bytes(data[:64]) + bytes(32) + bytes(data[96:-4])
    data = data[:64] + hashlib.sha256(data).digest() + data[96:]
    return data + struct.pack("<I", zlib.crc32(data))


def refused(data, match):
    with pytest.raises(InputError, match=match):
        Image.from_bytes(bytes(data))


@both_plans
@all_specs
class TestRoundTrip:
    def test_model_comes_back(self, name, plan):
        for seed in range(3):
            model = build(name, plan, seed)
            image = Image.from_model(model)
            again = Image.from_bytes(image.data)
            assert again.model == model
            assert again == image
            assert again.data == Image.from_model(again.model).data

    def test_file(self, name, plan, tmp_path):
        image = Image.from_model(build(name, plan))
        path = tmp_path / "model.glint"
        path.write_bytes(image.data)
        assert Image.read(path) == image
        assert hash(Image.read(path)) == hash(image)

    def test_size(self, name, plan):
        image = Image.from_model(build(name, plan))
        rows = sum(len(rows) for rows in image.sections.values())
        assert len(image.data) == 96 + 6 * rows + 4


class TestBytes:
    def test_header_of_blink(self):
        image = Image.from_model(build())
        data = image.data
        assert data[:4] == b"GLNT"
        assert struct.unpack_from("<2H", data, 4) == (2, 96)
        assert list(data[8:16]) == [8, 1, 0b1111, 6, 0, 0, 0, 12]
        assert struct.unpack_from("<5H", data, 16) == (257, 8, 256, 7, 44)
        assert struct.unpack_from("<5H", data, 26) == (8, 8 * 24 + 16 + 264, 8, 257, 44)
        assert struct.unpack_from("<3I", data, 36) == golden_crcs(image.model)
        assert data[48:64] == bytes(16)
        assert data[64:96].hex() == image.model_id
        assert image.header == data[:96]

    def test_header_of_the_largest(self):
        spec = replace(SPECS["most"], thinking=127)
        model = seeded_model(spec, PLAN9)
        data = Image.with_golden(model, (1, 2, 3)).data
        assert list(data[8:16]) == [6, 1, 0b1111, 16, 0, 0, 127, 9]
        assert struct.unpack_from("<5H", data, 16) == (512, 256, 511, 113, 710)

    def test_no_eos_and_all_targets(self):
        assert struct.unpack_from("<H", Image.from_model(build("least")).data, 20) == (0xFFFF,)
        spec = ModelSpec(lora_targets=LORA_TARGETS)
        data = random_image(spec).data
        assert data[10] == 0b1111111

    def test_sums(self):
        image = Image.from_model(build())
        data = image.data
        assert image.crc == zlib.crc32(data[:-4])
        assert struct.unpack("<I", data[-4:]) == (image.crc,)
        assert image.model_id == hashlib.sha256(data[:64] + bytes(32) + data[96:-4]).hexdigest()

    def test_config_and_table_rows(self):
        model = replace(build(), thinking=3)
        model = replace(model, spec=replace(model.spec, thinking=3))
        image = Image.from_model(model)
        rows = np.frombuffer(image.data[96:-4], "<u2").reshape(-1, 3).tolist()
        assert rows[0] == [208 // 8, 257, model.shift_logit - PLAN12.min_shift | 3 << 8]
        assert rows[1] == [8, 7, 44]
        assert rows[2] == [256, 8, 0]
        for index, w in enumerate(model.passes):
            bases, shifts, loop = rows[3 + 3 * index : 6 + 3 * index]
            assert bases == [(0, 5, 8, 11, 14, 17, 20, 23)[index], 3, 0]
            k, q, v, gate, up = (
                getattr(w, f"shift_{n}") - PLAN12.min_shift for n in ("k", "q", "v", "gate", "up")
            )
            ffn = gate | up << 4 | w.shift_down - PLAN12.min_sum_shift << 8 | 5 << 12
            assert shifts == [(472 + 8 * index) // 8, k | q << 4 | v << 8, ffn]
            assert loop == [number & 0xFFFF for number in w.loop_embedding.tolist()]

    def test_rows_follow_in_the_order_of_sections(self):
        image = Image.from_model(build("blocks"))
        rows = np.frombuffer(image.data[96:-4], "<i2").reshape(-1, 3)
        at = 0
        for section in Section:
            want = image.sections[section]
            assert (rows[at : at + len(want)] == want).all()
            at += len(want)
        assert at == len(rows)
        assert [int(section) for section in Section] == [0, 1, 2, 3, 4, 5]

    def test_embedding_and_rope_rows(self):
        model = build()
        sections = Image.from_model(model).sections
        assert (sections[Section.EMBED] == model.embed_in).all()
        assert (sections[Section.ROPE][:, :2] == model.rope_table).all()
        assert (sections[Section.ROPE][:, 2] == 0).all()

    def test_one_changed_weight_is_another_image(self):
        model = build()
        changed = model.embed_out.copy()
        changed[7, 1] ^= 1
        a, b = Image.from_model(model), Image.from_model(replace(model, embed_out=changed))
        assert a != b
        assert a.model_id != b.model_id


class TestChat:
    def test_one_bit_of_the_header_says_it(self):
        plain = Image.from_model(build())
        model = replace(plain.model, spec=replace(plain.model.spec, chat=True))
        image = Image.from_model(model)
        assert Image.from_bytes(image.data).model == model
        assert [is_for_chat(found.header) for found in (plain, image)] == [False, True]
        changed = [at for at in range(len(image.data)) if image.data[at] != plain.data[at]]
        assert [at for at in changed if not 64 <= at < 96][:-4] == [10]
        assert image.data[10] == plain.data[10] | 0x80

    def test_it_needs_an_eos(self):
        data = bytearray(Image.from_model(build("least")).data)
        data[10] |= 0x80
        refused(sealed(data), "ends its answers with EOS")


class TestDamage:
    def test_every_byte_counts(self):
        data = bytearray(Image.from_model(build("least")).data)
        rng = np.random.default_rng(1)
        for at in range(len(data)):
            damaged = bytearray(data)
            damaged[at] ^= int(rng.integers(1, 256))
            with pytest.raises(InputError) as caught:
                Image.from_bytes(bytes(damaged))
            assert "\n" not in str(caught.value)

    def test_truncation(self):
        data = Image.from_model(build("least")).data
        sections = Image.from_bytes(data).sections
        ends = 96 + 6 * np.cumsum([len(rows) for rows in sections.values()])
        near = {int(end) + step for end in ends for step in (-1, 0, 1)}
        for size in sorted({0, 1, 3, 4, 95, 96, 97, len(data) - 1} | near):
            refused(data[:size], "not a .glint image|promises")

    def test_too_long(self):
        data = Image.from_model(build("least")).data
        refused(data + b"\0", "promises")
        refused(data + bytes(100_000), "an image has at most")

    @pytest.mark.quick
    @pytest.mark.parametrize(
        ("at", "value", "match"),
        [
            (0, b"ELF!", r"not a \.glint image: it starts with b'ELF!'"),
            (4, b"\1\0", "image version 1 is not 2: quantize the model again"),
            (6, b"\0\1", "image version 2 is not 2"),
            (10, b"\x80", "lora_targets must be empty exactly when lora_rank is 0"),
            (
                11,
                b"\x11",
                "the model's hidden size of 17 exceeds the device's limit of 16",
            ),
            (15, b"\x0a", "unknown number plan 10"),
            (16, b"\1\0", "vocab must be a whole number"),
            (18, b"\1\1", "the model's window of 257 exceeds the device's limit of 256"),
            (26, b"\7\0", "the header counts 7 passes but its spec has 8"),
            (50, b"\1", "reserved bytes 48..63"),
            (64, b"\0\0", "model id is not that"),
            (200, b"\x55\x55", "CRC-32 at the end of the image is wrong"),
        ],
    )
    def test_names_what_is_wrong(self, at, value, match):
        data = bytearray(Image.from_model(build()).data)
        data[at : at + len(value)] = value
        if at == 64:
            data[-4:] = struct.pack("<I", zlib.crc32(data[:-4]))
        refused(data, match)

    def test_wrong_number_of_the_plan(self):
        model = build("least", PLAN9)
        data = bytearray(Image.from_model(model).data)
        at = HEADER_BYTES + 6 * (3 + 3)
        data[at : at + 2] = struct.pack("<h", 256)
        refused(sealed(data), "section DOT has a number outside the 9-bit plan")

    def test_not_canonical(self):
        data = bytearray(Image.from_model(build("least")).data)
        padding = HEADER_BYTES + 6 * (3 + 3 + 4)  # the row after the three of K and its padding
        assert data[padding] == 0
        data[padding] = 1
        refused(sealed(data), "not in canonical form: quantize the model again")

    def test_file_errors_name_the_file(self, tmp_path):
        with pytest.raises(InputError, match=r"cannot read '.*none\.glint': No such file"):
            Image.read(tmp_path / "none.glint")
        path = tmp_path / "bad.glint"
        path.write_bytes(b"GLNT")
        with pytest.raises(InputError, match=r"'.*bad\.glint': not a \.glint image"):
            Image.read(path)


class TestSealedNonsense:
    """Bytes with right sums but wrong fields: refused, or a model that runs."""

    @pytest.mark.parametrize("name", ["least", "blocks"])
    @both_plans
    def test_never_another_error(self, name, plan):
        data = Image.from_model(build(name, plan)).data
        fields = 96 + 6 * (3 + 3 * SPECS[name].passes)
        rng = np.random.default_rng(1)
        places = [*range(8, 36), *range(96, fields), *rng.integers(fields, len(data) - 4, 40)]
        accepted = 0
        for at in places:
            for value in {0, 1, 127, 128, 255, data[at] ^ 1, data[at] ^ 16}:
                changed = bytearray(data)
                changed[at] = value
                changed = sealed(changed)
                try:
                    image = Image.from_bytes(changed)
                except InputError:
                    continue
                accepted += 1
                assert image.data == changed
                self.check(image)
        assert accepted > len(places)

    def check(self, image):
        model, plan = image.model, image.model.plan
        assert model.rope_table.max() <= plan.rope.hi
        for weights in model.passes:
            assert weights.hidden == model.spec.hidden
        device = ReferenceModel(model, lanes=4)
        assert device.step(0).shape == (1, model.vocab)


def test_rejects_numbers_beyond_16_bits():
    model = build()
    with pytest.raises(InputError, match="does not fit 16 bits: quantize it again"):
        Image.from_model(replace(model, embed_in=model.embed_in + (1 << 16)))


def test_header_alone_tells_the_sizes():
    image = Image.from_model(build())
    header = unpack_header(image.header)
    assert (header.spec, header.plan, header.golden) == (image.model.spec, PLAN12, image.golden)
    assert (header.rope_num, header.rope_den) == (7, 44)
    assert header.rows == {section: len(rows) for section, rows in image.sections.items()}


def test_layout_of_the_image():
    image = Image.from_model(build())
    assert image.layout == Layout.of(image.model)
