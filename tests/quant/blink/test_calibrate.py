# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink.calibrate import Ranges, calibrate, sampled_text
from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.fold import fold
from glintfpga.quant.blink.spec import ModelSpec

SPEC = ModelSpec(loops=2, vocab=11, eos=None, window=4)


def checkpoint():
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(size=shape) for name, shape in SPEC.tensor_shapes().items()}
    return Checkpoint(spec=SPEC, tensors=tensors)


class TestRanges:
    @given(
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50),
        st.integers(-20, 20),
    )
    def test_counts(self, values, exponent):
        ranges = Ranges()
        half = len(values) // 2
        for part in (values[:half], values[half:]):
            if part:
                ranges.observe("q", 3, np.array(part))
        magnitude = np.abs(values)
        assert ranges.largest("q", 3) == magnitude.max()
        assert ranges.count("q", 3) == len(values)
        assert ranges.count_beyond("q", 3, exponent) == (magnitude >= 2.0**exponent).sum()

    @pytest.mark.quick
    def test_never_seen(self):
        ranges = Ranges()
        assert (ranges.largest("q", 0), ranges.count("q", 0)) == (0.0, 0)
        assert ranges.count_beyond("q", 0, -99) == 0

    def test_tensors_and_passes_are_apart(self):
        ranges = Ranges()
        ranges.observe("q", 1, np.array([2.0]))
        ranges.observe("k", 0, np.array([[4.0, -8.0]]))
        assert list(ranges) == [("k", 0), ("q", 1)]
        assert ranges.largest("k", 0) == 8.0
        assert ranges.count_beyond("k", 0, 3) == 1


class TestCalibrate:
    def test_scale_of_v_shows(self):
        before = checkpoint()
        doubled = {**before.tensors, "attention.v": 2 * before.tensors["attention.v"]}
        doubled |= {f"lora.{i}.v.b": 2 * before.tensors[f"lora.{i}.v.b"] for i in range(2)}
        after = replace(before, tensors=doubled)
        ids = sampled_text(before)
        small, large = calibrate(before, ids), calibrate(after, ids)
        assert large.largest("v", 0) == 2 * small.largest("v", 0)

    def test_logits_are_base_2(self):
        source = checkpoint()
        ranges = calibrate(source)
        bound = np.sqrt(3) * np.linalg.norm(fold(source).embed_out, axis=1).max()
        assert 0.3 * bound < ranges.largest("logit", -1) <= bound
        assert ranges.count("logit", -1) == 11 * 48 * 11


class TestText:
    def test_sampled_text_repeats_and_holds_every_id(self):
        ids = sampled_text(checkpoint())
        assert ids.shape == (11, 48)
        np.testing.assert_array_equal(ids, sampled_text(checkpoint()))
        for column in (0, 16, 32):
            assert sorted(ids[:, column]) == list(range(11))

    def test_sampled_text_comes_from_the_model(self):
        source = checkpoint()
        certain = {**source.tensors, "logit_scale": np.array([1000.0])}
        ids = sampled_text(replace(source, tensors=certain))
        columns = np.delete(ids, [0, 16, 32], axis=1)
        assert len(set(columns.ravel())) < 11
