# SPDX-License-Identifier: MIT
"""Images with right sums and wrong everything else: refused, or a model that a device runs."""

import hashlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import HEADER_BYTES, MAX_BYTES
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.wire.messages import generate, prompt
from glintfpga.firmware.wire.protocol import HelloFlag, Status
from glintfpga.quant.blink.plan import PLANS
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from support.damage import attempt, damaged
from support.models import random_image

SPECS = (
    ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None),
    ModelSpec(loops=2, prelude=1, hidden=3, vocab=9, window=20, eos=0, thinking=1),
)
IMAGES = {
    (index, code): random_image(spec, plan, seed=index).data
    for index, spec in enumerate(SPECS)
    for code, plan in PLANS.items()
}
images = st.sampled_from(sorted(IMAGES.values()))
FIELDS = [*range(8, 16), *range(16, 36, 2)]
"""Offsets of the numbers of the header: eight bytes, then ten words."""


def sealed(data):
    """The bytes with a sha256 and a CRC that are right for them, if there is room for both."""
    if len(data) < HEADER_BYTES + 4:
        return data
    data = data[:64] + bytes(32) + data[96:-4]
    data = data[:64] + hashlib.sha256(data).digest() + data[96:]
    return data + struct.pack("<I", zlib.crc32(data))


def read(data):
    image = attempt(lambda: Image.from_bytes(data), what="image", size=len(data))
    if image is not None:
        assert image.data == data
    return image


@pytest.mark.parametrize("data", IMAGES.values(), ids=str)
class TestEveryPlace:
    def test_cut_off(self, data):
        for size in range(len(data)):
            assert read(data[:size]) is None
            assert read(sealed(data[:size])) is None

    def test_flipped_bit(self, data):
        for at in range(len(data)):
            flipped = bytearray(data)
            flipped[at] ^= 1 << at % 8
            assert read(bytes(flipped)) is None


def test_sums_alone_make_no_image():
    for size in (0, HEADER_BYTES, HEADER_BYTES + 4, 1000, MAX_BYTES, MAX_BYTES + 1, 1 << 20):
        for filler in (b"\0", b"\xff", b"GLNT"):
            assert read(sealed((filler * size)[:size])) is None


@pytest.mark.quick
@given(
    images,
    st.dictionaries(
        st.sampled_from(FIELDS),
        st.sampled_from([0, 1, 2, 16, 17, 127, 128, 255, 256, 257, 512, 513, 4095, 4096, 65535]),
    ),
)
def test_sizes_that_lie(data, numbers):
    """65,535 rows in each section would be 1.5 MB, in a file of a few hundred bytes."""
    changed = bytearray(data)
    for at, number in numbers.items():
        width = 1 if at < 16 else 2
        changed[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
    read(sealed(bytes(changed)))


@given(images, st.randoms(use_true_random=False))
def test_damaged(data, rng):
    assert read(damaged(rng, data)) in (None, Image.from_bytes(data))


@given(images, st.randoms(use_true_random=False))
def test_damaged_and_sealed_again(data, rng):
    """What is taken runs: no index, shift or table of it lies outside what there is."""
    image = read(sealed(damaged(rng, data)))
    if image is None:
        return
    device = ReferenceModel(image.model, lanes=4)
    for token in (0, image.model.vocab - 1):
        logits = device.step(token)
        assert logits.shape == (1, image.model.vocab)
        assert abs(logits).max() < 1 << 19


@given(st.randoms(use_true_random=False))
def test_a_device_is_never_the_worse_for_it(make_bench, rng):
    """After any LOAD it holds that model or none, says so, and takes the next one."""
    good = IMAGES[0, 12]
    bench = make_bench(load=lambda data: reference_model(data, DeviceConfig()))
    data = sealed(damaged(rng, good)) if rng.random() < 0.5 else damaged(rng, good)
    began, *parts, end = bench.load(data, part=rng.choice([60, 500, 65535]))
    info = bench.hello()
    assert began == Status.OK
    if end == Status.OK:
        assert set(parts) == {Status.OK}
        assert info.image_header == data[:HEADER_BYTES]
        assert bench.ask(prompt([1], 2))[1].count == 1
    else:
        # SELF_TEST: an image as it should be, but for its golden value.
        if parts:
            assert set(parts[:-1]) <= {Status.OK}
            assert (parts[-1], end) in (
                (Status.BAD_IMAGE, Status.NO_LOAD),
                (Status.OK, Status.SELF_TEST),
            )
        assert not info.flags & HelloFlag.MODEL
        assert bench.ask(prompt([1], 2))[1].status == Status.NO_MODEL
    assert set(bench.load(good)) == {Status.OK}
    assert bench.hello().image_header == good[:HEADER_BYTES]
    assert bench.ask(generate(3))[1].count == 3


@pytest.mark.parametrize("name", ["", ".", "x\0y", "a" * 300])
def test_impossible_paths(tmp_path, name):
    assert attempt(lambda: Image.read(f"{tmp_path}/{name}"), what="image", size=0) is None
