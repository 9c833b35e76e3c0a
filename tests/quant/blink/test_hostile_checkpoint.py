# SPDX-License-Identifier: MIT
"""Checkpoints that nobody trained: refused in one line, or a model like any other."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.plan import PLANS
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from support.damage import attempt, damaged, damaged_json

SPEC = ModelSpec(loops=1, lora_targets=("v",), vocab=5, window=3, hidden=2, eos=None)
SHAPES = SPEC.tensor_shapes()
WORDS = [
    "", "0", "1", "-1", "8.0", "1e3", "0x8", " 8", "8\n", "٣", "1_0", "nan", "inf", "-inf", "1e999",
    "999999999", str(2**31), str(2**63), str(2**64), "9" * 5000, "none", "None", "q", "q,q", "z",
    ",,,", "q" * 5000, "\0", "\x1b[31m", "é", "blink", "other",
]  # fmt: skip


def written(tensors, **metadata):
    facts = {**SPEC.to_metadata(), "rope_radians_per_token": "1.0", "note": ""}
    return save(tensors, facts | metadata)


def weights(dtype=np.float32, seed=1):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


GOOD = written(weights())
HEADER_BYTES = int.from_bytes(GOOD[:8], "little")
HEADER = json.loads(GOOD[8 : 8 + HEADER_BYTES])
BODY = GOOD[8 + HEADER_BYTES :]


def joined(header, body=BODY):
    return len(header).to_bytes(8, "little") + header + body


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Attempts to read bytes as a checkpoint; a reading that succeeds is looked at closely."""
    path = tmp_path_factory.mktemp("checkpoint") / "x.safetensors"

    def go(data):
        path.write_bytes(data)
        found = attempt(lambda: read_checkpoint(path), what="checkpoint", size=len(data))
        if found is not None:
            assert found.tensors.keys() == found.spec.tensor_shapes().keys()
            assert all(np.isfinite(value).all() for value in found.tensors.values())
        return found

    return go


def test_the_good_one_is_read(read):
    assert read(GOOD).spec == SPEC


def test_cut_off_anywhere(read):
    for size in range(len(GOOD)):
        assert read(GOOD[:size]) is None, size


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_bits_of_the_header(read, step):
    """Some bits change a name or a note only; what is read then is still a whole model."""
    for bit in range(0, 8 * (8 + HEADER_BYTES), step):
        data = bytearray(GOOD)
        data[bit // 8] ^= 1 << bit % 8
        read(bytes(data))


@pytest.mark.quick
@pytest.mark.parametrize("size", [0, HEADER_BYTES - 1, HEADER_BYTES + 1, 2**31, 2**63, 2**64 - 1])
def test_length_that_lies(read, size):
    assert read(size.to_bytes(8, "little") + GOOD[8:]) is None


@given(st.randoms(use_true_random=False))
def test_damaged(read, rng):
    read(damaged(rng, GOOD))


@given(st.randoms(use_true_random=False))
def test_damaged_header(read, rng):
    read(joined(damaged_json(rng, HEADER)))


@given(st.dictionaries(st.sampled_from([*HEADER["__metadata__"], "x"]), st.sampled_from(WORDS)))
def test_damaged_metadata(read, words):
    read(joined(json.dumps({**HEADER, "__metadata__": HEADER["__metadata__"] | words}).encode()))


@given(
    st.sampled_from(list(SHAPES)),
    st.lists(st.sampled_from([0, 1, 3, 5, 2**31, 2**62, 2**63, 2**64, -1]), max_size=40),
    st.sampled_from(["F16", "F32", "F64", "I8", "BOOL", "BF16", "F4", "C64", ""]),
    st.sampled_from([[0, 0], [0, 2**63], [8, 0], [-8, 0], [2**64, 2**64], None]),
)
def test_huge_and_empty_tensors(read, name, shape, dtype, offsets):
    """A shape may multiply to anything; only what the file holds is ever set aside."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": HEADER[name]["data_offsets"]}
    header = json.dumps(HEADER | {name: entry | ({"data_offsets": offsets} if offsets else {})})
    found = read(joined(header.encode()))
    assert found is None or found.spec.tensor_shapes()[name] == tuple(shape)


def test_thousands_of_tensors(read):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    metadata = json.dumps(HEADER["__metadata__"]).encode()
    for entries in (
        b", ".join(b'"%d": %s' % (i, json.dumps(empty).encode()) for i in range(4000)),
        b", ".join([b'"": %s' % json.dumps(empty).encode()] * 4000),
        b'"x": ' + b"[" * 100_000,
        b'"x": ' + b'{"y": ' * 40_000,
    ):
        assert read(joined(b'{"__metadata__": %s, %s}' % (metadata, entries), b"")) is None


class TestValues:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e7, -3e38])
    @pytest.mark.parametrize("name", list(SHAPES))
    def test_no_number_for_a_chip(self, read, name, value):
        tensors = weights()
        tensors[name].flat[-1] = value
        assert read(written(tensors)) is None

    @settings(max_examples=settings.default.max_examples // 10)
    @given(
        st.dictionaries(
            st.sampled_from(list(SHAPES)),
            st.sampled_from([0.0, -0.0, 5e-324, 1e-300, -1e-45, 2.0**-14, 65504.0, 1e6, -1e6]),
        ),
        st.sampled_from(sorted(PLANS)),
    )
    def test_what_is_read_can_be_quantized(self, read, extremes, code):
        tensors = weights(np.float64)
        for name, value in extremes.items():
            tensors[name][:] = value
        checkpoint = read(written(tensors))
        model, report = quantize(checkpoint, plan=PLANS[code])
        assert Image.from_bytes(Image.from_model(model).data).model == model
        assert FloatModel(checkpoint).step([0]).shape == (1, SPEC.vocab)
        assert report.to_text()

    def test_the_refusal_names_tensor_value_and_next_step(self):
        tensors = weights() | {"norm.final": np.array([1, -1e30, 1])}
        with pytest.raises(InputError) as caught:
            Checkpoint(spec=SPEC, tensors=tensors)
        assert str(caught.value) == (
            "tensor 'norm.final' has a value of magnitude 1e+30, more than 1e+06: train it again, "
            "or save it again where its bytes are big-endian"
        )


@pytest.mark.parametrize("name", ["", ".", "x\0y", "a" * 300])
def test_impossible_paths(tmp_path, name):
    assert attempt(lambda: read_checkpoint(f"{tmp_path}/{name}"), what="checkpoint", size=0) is None
