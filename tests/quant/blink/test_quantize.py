# SPDX-License-Identifier: MIT
import json
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint
from glintfpga.quant.blink.fold import fold
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.quantize import finest_frac, quantize, rope_fraction
from glintfpga.quant.blink.quantize_report import snr_db
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.qformat import QFormat

SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")
MATRICES = {  # name: (shift, format in, format out)
    "wq": ("shift_q", "h", "qk"),
    "wk": ("shift_k", "h", "qk"),
    "wv": ("shift_v", "h", "v"),
    "gate": ("shift_gate", "h", "gate"),
    "up": ("shift_up", "h", "up"),
    "down": ("shift_down", "z", "x"),
}


@pytest.fixture(scope="module")
def shipped():
    return read_checkpoint(SHIPPED)


@pytest.fixture(scope="module")
def result(shipped):
    return quantize(shipped)


def random_checkpoint(spec, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    shapes = spec.tensor_shapes()
    tensors = {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
    return Checkpoint(spec=spec, tensors=tensors)


def frac_of(plan, matrix, weights):
    shift, source, target = MATRICES[matrix]
    return getattr(weights, shift) - getattr(plan, source).frac + getattr(plan, target).frac


def shift_range(plan, matrix):
    if matrix == "down":
        return max(0, plan.min_sum_shift), plan.max_sum_shift
    return plan.min_shift, plan.max_shift


class TestFractions:
    @given(
        hnp.arrays(np.float64, 4, elements=st.floats(-1000, 1000, width=32)),
        st.sampled_from([9, 12]),
    )
    def test_finest_frac_fits_and_the_next_does_not(self, real, width):
        frac = finest_frac(real, width)
        if not real.any():
            return

        def fits(frac):
            fmt = QFormat(width, frac)
            stored = np.floor(real * 2.0**frac + 0.5)
            return stored.min() >= fmt.lo and stored.max() <= fmt.hi

        assert fits(frac)
        assert not fits(frac + 1)

    @pytest.mark.quick
    def test_half_up_can_push_the_largest_out(self):
        assert finest_frac(np.array([1.0 - 2.0**-13]), 12) == 10
        assert finest_frac(np.array([2047 / 2048]), 12) == 11

    def test_the_lowest_number_counts(self):
        assert finest_frac(np.array([-1.0]), 12) == 11
        assert finest_frac(np.array([1.0]), 12) == 10


class TestShipped:
    @pytest.mark.parametrize("matrix", MATRICES)
    def test_stored_weights_mean_the_folded_ones(self, shipped, result, matrix):
        model, report = result
        for index, (real, stored) in enumerate(zip(fold(shipped).passes, model.passes)):
            frac = frac_of(model.plan, matrix, stored)
            moved = {"wq": -1, "wk": 1}.get(matrix, 0) * report.balance[index]
            wanted = getattr(real, matrix) * 2.0**moved
            found = getattr(stored, matrix)
            assert found.dtype == np.int64
            assert np.abs(found - wanted * 2.0**frac).max() <= 0.5
            assert -2048 <= found.min() and found.max() <= 2047

    def test_embeddings(self, shipped, result):
        model, _ = result
        folded = fold(shipped)
        assert np.abs(model.embed_in - folded.embed_in * 1024).max() <= 0.5
        frac = model.shift_logit - PLAN12.h.frac + PLAN12.logit.frac
        assert np.abs(model.embed_out - folded.embed_out * 2.0**frac).max() <= 0.5

    def test_shifts_are_what_a_lane_can_do(self, result):
        model, _ = result
        for weights in model.passes:
            for matrix, (shift, _, _) in MATRICES.items():
                least, most = shift_range(PLAN12, matrix)
                assert least <= getattr(weights, shift) <= most
        assert PLAN12.min_shift <= model.shift_logit <= PLAN12.max_shift

    def test_shared_matrices_stay_shared(self, result):
        model, _ = result
        first, *others = model.passes
        for name in ("gate", "up", "down"):
            shift = MATRICES[name][0]
            for weights in others:
                np.testing.assert_array_equal(getattr(weights, name), getattr(first, name))
                assert getattr(weights, shift) == getattr(first, shift)

    def test_nothing_but_gates_and_rare_k_saturate(self, result):
        """Gates pass 8, where SiLU is a line; the model was trained with the chip's limits."""
        _, report = result
        rare = {"gate": 0.15, "k": 0.005}
        for row in report.rows:
            assert row.saturated <= row.count * rare.get(row.tensor, 0), row

    def test_logits_follow_the_float_model(self, result):
        assert result[1].logit_snr_db > 22

    def test_repeats(self, shipped, result):
        model, report = quantize(shipped)
        assert model == result[0]
        assert report == result[1]

    def test_lanes_do_not_change_the_integers(self, shipped, result):
        assert quantize(shipped, lanes=8)[0] == result[0]

    def test_calibration_text_outside_the_vocabulary(self, shipped):
        with pytest.raises(InputError, match="id 257 is outside"):
            quantize(shipped, ids=np.array([[257]]))


class TestChoices:
    @pytest.mark.parametrize("window, turn", [(8, (7, 44)), (24, (7, 44)), (25, (113, 710))])
    def test_rope(self, window, turn):
        checkpoint = random_checkpoint(ModelSpec(window=window, vocab=5, eos=None))
        assert rope_fraction(checkpoint) == turn
        model, report = quantize(checkpoint)
        assert (model.rope_num, model.rope_den) == turn
        assert model.rope_table.shape == (turn[1], 2)
        assert report.rope == f"{turn[0]}/{turn[1]}"

    def test_rope_of_another_step(self):
        checkpoint = random_checkpoint(ModelSpec(vocab=5, eos=None))
        rope_fraction(replace(checkpoint, rope_radians_per_token=14 * math.pi / 44))
        with pytest.raises(InputError, match="1 radian .*not 0.5"):
            quantize(replace(checkpoint, rope_radians_per_token=0.5))

    @pytest.mark.parametrize("power", [-3, 2])
    def test_balance_undoes_a_lopsided_model(self, power):
        spec = ModelSpec(loops=2, lora_rank=0, lora_targets=(), vocab=9, eos=None)
        plain = random_checkpoint(spec)
        lopsided = {
            **plain.tensors,
            "attention.q": plain.tensors["attention.q"] * 2.0**power,
            "attention.k": plain.tensors["attention.k"] * 2.0**-power,
        }
        model, report = quantize(plain)
        other, other_report = quantize(replace(plain, tensors=lopsided))
        assert other == model
        assert [b - a for a, b in zip(report.balance, other_report.balance)] == [power, power]

    def test_a_trained_balance_stays(self, shipped, result):
        """What a training in the device's numbers counted on is not chosen again."""
        chosen = result[1].balance
        trained = (chosen[0] + 1, *chosen[1:])
        model, report = quantize(replace(shipped, qk_log2_shift=trained))
        assert report.balance == trained
        before, after = result[0].passes[0], model.passes[0]
        assert after.shift_q - before.shift_q == 1 and after.shift_k - before.shift_k == -1
        assert np.array_equal(after.wq, before.wq) and np.array_equal(after.wk, before.wk)
        assert [p.shift_q for p in model.passes[1:]] == [p.shift_q for p in result[0].passes[1:]]

    def test_spec_travels(self):
        spec = ModelSpec(loops=1, prelude=1, coda=1, thinking=2, vocab=6, eos=3, hidden=4)
        model, _ = quantize(random_checkpoint(spec))
        assert (model.spec, model.eos, model.thinking) == (spec, 3, 2)
        assert len(model.passes) == 3
        assert not model.passes[0].loop_embedding.any()
        assert model.passes[1].loop_embedding.any()

    @pytest.mark.parametrize("scale", [1e-6, 1e-2, 30.0])
    @pytest.mark.parametrize("plan", [PLAN12, PLAN9])
    def test_any_scale_gives_legal_integers(self, plan, scale):
        spec = ModelSpec(loops=2, vocab=9, eos=None)
        model, report = quantize(random_checkpoint(spec, scale), plan=plan)
        top = 1 << (plan.weight_width - 1)
        for weights in model.passes:
            for matrix, (shift, _, _) in MATRICES.items():
                assert np.abs(getattr(weights, matrix) + 0.5).max() < top
                least, most = shift_range(plan, matrix)
                assert least <= getattr(weights, shift) <= most
        assert plan.min_shift <= model.shift_logit <= plan.max_shift
        assert report.plan == plan.code

    def test_too_large_weights_are_reported(self):
        checkpoint = random_checkpoint(ModelSpec(loops=1, vocab=9, eos=None), 30.0)
        rows = {row.tensor: row for row in quantize(checkpoint)[1].rows if row.index < 1}
        assert rows["embedding in"].saturated > 0
        assert rows["embedding in"].snr_db < 20


class TestReport:
    def test_json_is_plain(self, result):
        data = json.loads(json.dumps(result[1].to_json()))
        assert data["plan"] == 12
        assert data["rows"][0]["tensor"] == "wq"

    def test_text_has_a_line_a_tensor(self, result):
        lines = result[1].to_text().splitlines()
        assert len(lines) == 4 + len(result[1].rows)
        assert "RoPE 7/44" in lines[0]
        assert len({len(line) for line in lines[3:]}) == 1

    def test_a_good_model_is_not_doubted(self, shipped, result):
        assert result[1].doubt is None
        assert quantize(shipped, plan=PLAN9)[1].doubt is None

    @pytest.mark.parametrize("name", ["embedding", "ffn.up", "norm.final"])
    def test_one_outlier_is_named(self, shipped, name):
        spoilt = shipped.tensors[name].copy()
        spoilt.flat[1] = 9e5
        report = quantize(replace(shipped, tensors={**shipped.tensors, name: spoilt}))[1]
        assert f"the largest weight of {name!r} is " in report.doubt
        assert report.peak_tensor == name
        assert report.peak_ratio == 9e5 / np.median(np.abs(spoilt))
        assert f"signal to noise of {report.logit_snr_db:.1f} dB, less than 15 dB" in report.doubt

    def test_no_outlier_is_named_where_there_is_none(self, shipped):
        small = shipped.tensors["embedding"] * 1e-30
        report = quantize(replace(shipped, tensors={**shipped.tensors, "embedding": small}))[1]
        assert "no weight stands out" in report.doubt

    @pytest.mark.parametrize(
        "real, approximate, db",
        [([1, 1], [1, 1], 200.0), ([0, 0], [0, 1], 0.0), ([10, 0], [10, 1], 20.0)],
    )
    def test_snr(self, real, approximate, db):
        assert snr_db(np.array(real, float), np.array(approximate, float)) == db


def test_released_image_is_of_the_released_checkpoint(shipped, result):
    model, _ = result
    released = Image.read(Path(str(SHIPPED)).with_suffix(".glint")).model
    # Calibration is float arithmetic: another processor may round one weight the other way.
    assert released.spec == model.spec
    for ours, theirs in zip(model.passes, released.passes, strict=True):
        for name in ("wq", "wk", "wv", "gate", "up", "down", "loop_embedding"):
            assert np.abs(getattr(ours, name) - getattr(theirs, name)).max() <= 1
