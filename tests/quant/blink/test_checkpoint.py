# SPDX-License-Identifier: MIT
import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.errors import EnvironmentProblem, InputError

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
            spec, note="two words", rope_radians_per_token=0.9996, qk_log2_shift=powers
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
    @pytest.mark.quick
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

    @pytest.mark.parametrize("dtype", ["I32", "F8_E4M3", 7, None])
    def test_wrong_type(self, tmp_path, parts, dtype):
        header, body = parts
        header["embedding"]["dtype"] = dtype
        assert "must have a type of F16, BF16, F32, F64" in refused(tmp_path, join(header, body))

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


class TestWhatPeopleHave:
    def upper_half(self, value):
        """float32 cut to bfloat16, as bytes."""
        return (value.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()

    def file_of(self, checkpoint, *, prefix="", dtype="F32"):
        entries, body = {}, b""
        for name, value in checkpoint.tensors.items():
            data = self.upper_half(value) if dtype == "BF16" else value.astype("<f4").tobytes()
            offsets = [len(body), len(body) + len(data)]
            entries[prefix + name] = {
                "dtype": dtype, "shape": list(value.shape), "data_offsets": offsets,
            }  # fmt: skip
            body += data
        metadata = {**checkpoint.spec.to_metadata(), "rope_radians_per_token": "1.0", "note": ""}
        return join({"__metadata__": metadata, **entries}, body)

    def test_bfloat16(self, tmp_path):
        before = random_checkpoint(SMALL)
        path = tmp_path / "x.safetensors"
        path.write_bytes(self.file_of(before, dtype="BF16"))
        for name, value in read_checkpoint(path).tensors.items():
            exact = before.tensors[name]
            assert (np.abs(value - exact) <= np.abs(exact) * 2.0**-7).all()
            assert self.upper_half(value) == self.upper_half(exact)

    @pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
    def test_prefix_of_a_wrapper(self, tmp_path, prefix):
        before = random_checkpoint(SMALL)
        path = tmp_path / "x.safetensors"
        path.write_bytes(self.file_of(before, prefix=prefix))
        after = read_checkpoint(path)
        assert after.tensors.keys() == before.tensors.keys()
        assert all((after.tensors[name] == before.tensors[name]).all() for name in after.tensors)

    def test_a_name_with_and_without_prefix(self, tmp_path):
        header, body = split(SHIPPED.read_bytes())
        header["module.norm.ffn"] = header.pop("norm.final")
        assert "'norm.ffn' is there twice" in refused(tmp_path, join(header, body))

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "run git lfs pull"),
            (b"PK\x03\x04" + bytes(60), "a zip archive, as PyTorch writes"),
            (b"PK\x03\x04" + bytes(2 << 20), "a zip archive, as PyTorch writes"),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a pickle, which is not opened"),
            (b"\n<!DOCTYPE html><html><body>Not found", "a web page and not the file"),
            (b"GGUF\x03\0\0\0" + bytes(20), "a GGUF file"),
            (b"GLNT\2\0\x60\0" + bytes(90), "an image of integers"),
        ],
    )
    def test_other_kinds_of_files(self, tmp_path, data, message):
        assert message in refused(tmp_path, data)

    def test_big_endian_values(self, tmp_path):
        header, body = split(SHIPPED.read_bytes())
        swapped = np.frombuffer(body, "<f4").byteswap().tobytes()
        assert "where its bytes are big-endian" in refused(tmp_path, join(header, swapped))
