# SPDX-License-Identifier: MIT
import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.spec import LORA_TARGETS, ModelSpec

SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")
SMALL = ModelSpec(loops=2, vocab=5, eos=None, prelude=1, coda=1)


def random_checkpoint(spec, seed=0, **other):
    rng = np.random.default_rng(seed)
    shapes = spec.tensor_shapes()
    tensors = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    tensors = {name: np.float64(np.float32(value)) for name, value in tensors.items()}
    return Checkpoint(spec=spec, tensors=tensors, **other)


def split(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def join(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def refused(tmp_path, data):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


class TestFiles:
    def test_shipped_model(self):
        checkpoint = read_checkpoint(SHIPPED)
        assert checkpoint.spec == ModelSpec()
        assert sum(value.size for value in checkpoint.tensors.values()) == 1087
        assert all(value.dtype == np.float64 for value in checkpoint.tensors.values())
        assert checkpoint.rope_radians_per_token == 1.0

    @pytest.mark.parametrize(
        "spec",
        [
            SMALL,
            ModelSpec(loops=1, lora_rank=0, lora_targets=()),
            ModelSpec(loops=2, lora_rank=2, lora_targets=LORA_TARGETS, thinking=3),
        ],
    )
    def test_round_trip(self, tmp_path, spec):
        path = tmp_path / "model.safetensors"
        powers = tuple(range(-1, spec.passes - 1))
        before = random_checkpoint(
            spec, note="two words", rope_radians_per_token=0.9996, balance=powers
        )
        write_checkpoint(path, before)
        after = read_checkpoint(path)
        assert (after.spec, after.note) == (spec, "two words")
        assert after.rope_radians_per_token == 0.9996
        assert after.tensors.keys() == before.tensors.keys()
        for name, value in before.tensors.items():
            np.testing.assert_array_equal(after.tensors[name], value)
        assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]

    def test_missing_file(self, tmp_path):
        with pytest.raises(InputError, match="cannot read .*No such file"):
            read_checkpoint(tmp_path / "none")

    def test_unwritable_place(self, tmp_path):
        with pytest.raises(EnvironmentProblem, match="cannot write"):
            write_checkpoint(tmp_path / "none" / "x.safetensors", random_checkpoint(SMALL))


class TestMalformed:
    @pytest.mark.parametrize(
        "data, message",
        [
            (b"", "cut off after 0 bytes"),
            (b"\x08\0\0\0\0\0\0\0{}", "cut off after 10 bytes"),
            (b"\xff" * 64, "cut off after 64 bytes"),
            (b"\2\0\0\0\0\0\0\0[]", "no JSON object"),
            (b"\2\0\0\0\0\0\0\0{]", "damaged safetensors header"),
            (b"\2\0\0\0\0\0\0\0\xff\xfe", "damaged safetensors header"),
            (b"\2\0\0\0\0\0\0\0{}", "lacks metadata strings"),
            (bytes((1 << 20) + 1), "too large"),
            (join(b" " * 300_000, b""), "header of 300000 bytes"),
            (join(b"[" * 200_000, b""), "damaged safetensors header"),
            (join(b'{"a":1,"a":2}', b""), "'a' appears twice"),
            (join({"__metadata__": {"loops": 8}}, b""), "lacks metadata strings"),
        ],
    )
    def test_bytes(self, tmp_path, data, message):
        assert message in refused(tmp_path, data)

    @pytest.fixture
    def parts(self):
        return split(SHIPPED.read_bytes())

    def test_wrong_size_in_metadata(self, tmp_path, parts):
        header, body = parts
        header["__metadata__"]["hidden"] = "5"
        assert "must have shape" in refused(tmp_path, join(header, body))

    def test_fewer_loops_in_metadata(self, tmp_path, parts):
        header, body = parts
        header["__metadata__"]["loops"] = "7"
        assert "unknown tensor 'lora.7.k.a'" in refused(tmp_path, join(header, body))

    def test_missing_tensor(self, tmp_path, parts):
        header, body = parts
        header["__metadata__"]["prelude"] = "1"
        assert "tensor 'prelude.0." in refused(tmp_path, join(header, body))

    @pytest.mark.parametrize("dtype", ["I32", "BF16", "F8_E4M3", 7, None])
    def test_wrong_type(self, tmp_path, parts, dtype):
        header, body = parts
        header["embedding"]["dtype"] = dtype
        assert "must have a type of F16, F32, F64" in refused(tmp_path, join(header, body))

    def test_overlapping_offsets(self, tmp_path, parts):
        header, body = parts
        header["norm.ffn"]["data_offsets"] = header["norm.final"]["data_offsets"]
        assert "damaged safetensors file" in refused(tmp_path, join(header, body))

    def test_bad_number_in_metadata(self, tmp_path, parts):
        header, body = parts
        header["__metadata__"]["rope_radians_per_token"] = "fast"
        assert "must be a number, not 'fast'" in refused(tmp_path, join(header, body))

    @pytest.mark.parametrize("angle", ["nan", "inf", "0", "-1", "3.2"])
    def test_bad_angle(self, tmp_path, parts, angle):
        header, body = parts
        header["__metadata__"]["rope_radians_per_token"] = angle
        assert "must be in (0, pi]" in refused(tmp_path, join(header, body))

    @pytest.mark.parametrize(
        ("balance", "message"),
        [
            ("1,2", "balance must be 8 powers within 18, not (1, 2)"),
            ("0,0,0,0,0,0,0,19", "balance must be 8 powers within 18"),
            ("", "balance must be whole numbers, not ''"),
            ("0,0,0,x,0,0,0,0", "balance must be whole numbers"),
            ("9" * 9000, "balance must be 8 powers"),
        ],
    )
    def test_bad_balance(self, tmp_path, parts, balance, message):
        header, body = parts
        header["__metadata__"]["balance"] = balance
        assert message in refused(tmp_path, join(header, body))

    @given(st.data())
    def test_any_damage_is_an_input_error(self, tmp_path_factory, data):
        good = SHIPPED.read_bytes()
        start = data.draw(st.integers(0, len(good) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        path = tmp_path_factory.mktemp("damage") / "x.safetensors"
        keep = data.draw(st.sampled_from([len(good), start]))
        path.write_bytes((good[:start] + patch + good[start + len(patch) :])[: max(keep, 1)])
        try:
            read_checkpoint(path)
        except InputError as error:
            assert "\n" not in str(error)

    def test_not_finite(self):
        checkpoint = random_checkpoint(SMALL)
        tensors = {**checkpoint.tensors, "norm.final": np.array([1, np.nan, 1])}
        with pytest.raises(InputError, match=r"'norm.final' has values that are not finite"):
            Checkpoint(spec=SMALL, tensors=tensors)
