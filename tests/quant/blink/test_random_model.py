# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.qformat import QFormat

SPECS = [
    ModelSpec(),
    ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None),
    ModelSpec(loops=2, prelude=1, coda=3, hidden=16, vocab=512, window=256, eos=511, thinking=5),
]
both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")


@both_plans
@pytest.mark.parametrize("spec", SPECS, ids=["blink", "least", "most"])
class TestRandomModel:
    def test_follows_its_spec(self, spec, plan):
        model = random_model(np.random.default_rng(1), spec, plan)
        assert (model.spec, model.plan, len(model.passes)) == (spec, plan, spec.passes)
        assert (model.eos, model.thinking) == (spec.eos, spec.thinking)
        assert model.embed_in.shape == model.embed_out.shape == (spec.vocab, 3)
        assert model.rope_table.shape == (model.rope_den, 2)
        for weights in model.passes:
            assert weights.wq.shape == weights.wk.shape == weights.wv.shape == (3, 3)
            assert weights.gate.shape == weights.up.shape == (spec.hidden, 3)
            assert weights.down.shape == (3, spec.hidden)

    @pytest.mark.quick
    def test_stays_in_its_formats(self, spec, plan):
        weight = QFormat(plan.weight_width, 0)
        for seed in range(5):
            model = random_model(np.random.default_rng(seed), spec, plan)
            arrays = [(plan.x, model.embed_in), (weight, model.embed_out)]
            shifts = [model.shift_logit]
            for weights in model.passes:
                names = ("wq", "wk", "wv", "gate", "up", "down")
                arrays += [(weight, getattr(weights, name)) for name in names]
                arrays += [(plan.x, weights.loop_embedding)]
                names = ("q", "k", "v", "gate", "up")
                shifts += [getattr(weights, f"shift_{name}") for name in names]
                least, most = max(0, plan.min_sum_shift), plan.max_sum_shift
                assert least <= weights.shift_down <= most
            for fmt, array in arrays:
                assert array.dtype == np.int64
                assert (fmt.saturate(array) == array).all()
            assert plan.min_shift <= min(shifts) <= max(shifts) <= plan.max_shift


def test_a_seed_is_a_model():
    models = [random_model(np.random.default_rng(seed), SPECS[0], PLAN12) for seed in (1, 1, 2)]
    assert models[0] == models[1] != models[2]


def test_loops_share_their_feed_forward():
    first, *rest = random_model(np.random.default_rng(1), SPECS[0], PLAN12).passes
    for weights in rest:
        assert (weights.gate == first.gate).all()
        assert (weights.wq != first.wq).any()


def test_edges():
    ends = {-2048, 2047, 0, -1}
    model = random_model(np.random.default_rng(1), SPECS[0], PLAN12, edges=1.0)
    assert set(np.unique(model.embed_out).tolist()) == ends
    model = random_model(np.random.default_rng(1), SPECS[0], PLAN12, edges=0.0)
    assert len(np.unique(model.embed_out)) > 500
