# SPDX-License-Identifier: MIT
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.hdl.row.core import Core
from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import DeviceError
from glintfpga.quant.numbers.sampler import Sampler
from glintfpga.sim.compiled import CompiledSim
from support.cxxrtl import NativeProgram, build_native
from support.lockstep import CoreBench, compare
from support.models import seeded_model

CHECKPOINT = Path(str(resources.files("glintfpga.train"))) / "release/blink-base/model.safetensors"
SHAPES = {
    "blink": ModelSpec(),
    "one pass, window 1": ModelSpec(loops=1, hidden=4, vocab=64, window=1, eos=None),
    "two passes, window 24": ModelSpec(loops=2, hidden=16, vocab=512, window=24, eos=0),
    "ragged": ModelSpec(loops=3, hidden=5, vocab=99, window=13, eos=1),
    "own blocks": ModelSpec(loops=2, prelude=1, coda=2, hidden=9, vocab=130, window=8, eos=2),
    "thinking": ModelSpec(loops=2, hidden=6, vocab=70, window=10, thinking=2, eos=None),
    "sixteen passes": ModelSpec(loops=16, hidden=7, vocab=64, window=9, eos=3),
}
SEQUENCES, LENGTH = 6, 60


@cache
def bench(lanes, plan):
    library = build_native(Core(DeviceConfig(lanes=lanes, plan=plan)))
    return CoreBench(CompiledSim(NativeProgram(library), clk_hz=27e6))


def check(lanes, model, *, sequences=SEQUENCES, length=LENGTH, prefill=0, seed=0):
    core = bench(lanes, model.plan)
    core.load(Image.from_model(model))
    tokens = np.random.default_rng(seed).integers(0, model.vocab, (sequences, length))
    compared = compare(core, model, lanes=lanes, tokens=tokens, prefill=prefill)
    assert compared == sequences * (length - prefill + bool(prefill)) * model.vocab


LANES = [
    2,
    4,
    pytest.param(8, marks=pytest.mark.slow),  # its compilation takes minutes
]


@pytest.mark.parametrize("lanes", LANES)
class TestPlan12:
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
    def test_random_weights(self, lanes, shape):
        for seed in range(3):
            prefill = (0, 3, 40)[seed]
            check(lanes, seeded_model(shape, PLAN12, seed=seed), prefill=prefill, seed=seed)

    def test_window_256(self, lanes):
        shape = ModelSpec(loops=2, hidden=6, vocab=64, window=256, eos=None)
        check(lanes, seeded_model(shape, PLAN12, seed=1), sequences=1, length=600, prefill=200)

    def test_trained_weights(self, lanes):
        model, _ = quantize(read_checkpoint(CHECKPOINT), plan=PLAN12)
        check(lanes, model, sequences=4, length=250)
        check(lanes, model, sequences=2, length=50, prefill=17)

    def test_sampling(self, lanes):
        model = seeded_model(ModelSpec(loops=1, vocab=200, window=4, eos=None), PLAN12, seed=3)
        core = bench(lanes, PLAN12)
        core.load(Image.from_model(model))
        core.seed(99)
        reference, sampler = ReferenceModel(model, lanes=lanes), Sampler(99)
        token = 0
        for temperature in (205, 1, 1023, 0, 256, 64) * 8:
            found = core.step(token, temperature=temperature, sample=True)
            assert found.token == sampler.sample(reference.step(token)[0], temperature)
            token = found.token


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("lanes", [4, 8])
def test_plan_9(lanes, shape):
    for seed in range(3):
        check(lanes, seeded_model(shape, PLAN9, seed=seed), prefill=5 * seed, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_many_random_shapes(lanes):
    rng = np.random.default_rng(lanes)
    for seed in range(40):
        shape = ModelSpec(
            loops=int(rng.integers(1, 9)),
            hidden=int(rng.integers(4, 17)),
            vocab=int(rng.integers(64, 513)),
            window=int(rng.choice([1, 2, 7, 8, 16, 24, 100])),
            thinking=int(rng.integers(0, 2)),
            eos=None,
        )
        check(
            lanes, seeded_model(shape, PLAN12, seed=seed), sequences=2, prefill=seed % 5, seed=seed
        )


@pytest.mark.parametrize(("bank", "group"), [("dot", 2), ("sum", 3)])
def test_notices_a_wrong_bit(bank, group):
    """Even groups of output rows are read from the dot bank, odd ones from the sum bank."""
    model = seeded_model(SHAPES["ragged"], PLAN12, seed=0)
    core = bench(4, PLAN12)
    core.load(Image.from_model(model))
    output = core.sim.item(f"lane1 {bank}_bank")
    row = Image.from_model(model).layout.out_base // 4 + group
    output.poke(output.peek(row) ^ 1 << 11, row)
    with pytest.raises(DeviceError, match=f"sequence 0, step 0: logit {4 * group + 1} is"):
        compare(core, model, lanes=4, tokens=np.zeros((1, 3), np.int64))
