# SPDX-License-Identifier: MIT
"""The kernel with chip numbers against the integer reference: every comparison is of integers."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.train.engine.kernel import ChipNumbers, Kernel
from glintfpga.train.engine.parameters import checkpoint_of, flatten, initial, views
from glintfpga.train.optimizer.adam import Adam

SPECS = {
    "one window": ModelSpec(loops=2, vocab=40, eos=None, window=8),
    "odd window": ModelSpec(
        loops=1, prelude=1, coda=1, lora_rank=2, lora_targets=LORA_TARGETS, vocab=9, eos=0,
        window=13, hidden=16,
    ),
}  # fmt: skip
CASES = [("one window", PLAN12, 4), ("odd window", PLAN12, 8), ("odd window", PLAN9, 2)]
every_case = pytest.mark.parametrize(
    ("name", "plan", "lanes"), CASES, ids=lambda case: str(getattr(case, "code", case))
)


def random_params(spec, spread, seed=1):
    return np.random.default_rng(seed).normal(0, spread, spec.param_count).astype(np.float32)


def reference_logits(model, tokens, lanes):
    device = ReferenceModel(model, lanes=lanes, batch=len(tokens))
    return np.stack([device.step(column) for column in tokens[:, :-1].T], axis=1)


@every_case
@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_logits_are_the_integers_of_the_reference(name, plan, lanes, spread):
    """A wide spread drives q, k, gate, z and x into saturation."""
    params = random_params(SPECS[name], spread)
    checkpoint = checkpoint_of(SPECS[name], params)
    model, report = quantize(checkpoint, plan=plan, lanes=lanes)
    numbers = ChipNumbers.of(checkpoint, plan, lanes=lanes)
    assert numbers.qk_log2_shift == report.balance
    kernel = Kernel(checkpoint.spec, numbers=numbers)
    tokens = np.random.default_rng(5).integers(0, checkpoint.spec.vocab, (18, 44))
    logits = kernel.logits(params, tokens)
    found = plan.logit.quantize(logits.astype(np.float64))
    assert (plan.logit.real(found) == logits).all()
    np.testing.assert_array_equal(found, reference_logits(model, tokens, lanes))


@pytest.fixture(scope="module")
def released():
    """The released model and text that it knows."""
    folder = Path(str(resources.files("glintfpga.train"))) / "release" / "blink-base"
    text = "The kernel computes what the chip computes, and the old house stands in the night. "
    ids = np.frombuffer((text * 40).encode()[: 16 * 65], np.uint8).reshape(16, 65)
    return read_checkpoint(folder / "model.safetensors"), ids.astype(np.uint16)


@pytest.fixture(scope="module", params=[PLAN12, PLAN9], ids=["12", "9"])
def kernels(request, released):
    """Float, and with the numbers of a plan."""
    checkpoint, _ = released
    numbers = ChipNumbers.of(checkpoint, request.param)
    return Kernel(checkpoint.spec), Kernel(checkpoint.spec, numbers=numbers)


def test_released_model(released, kernels):
    checkpoint, tokens = released
    exact, fixed = kernels
    params = flatten(checkpoint.spec, checkpoint.tensors)
    plan = fixed.numbers.plan
    model, _ = quantize(checkpoint, plan=plan)
    found = plan.logit.quantize(fixed.logits(params, tokens).astype(np.float64))
    np.testing.assert_array_equal(found, reference_logits(model, tokens, 4))
    assert fixed.evaluate(params, tokens) == pytest.approx(
        exact.evaluate(params, tokens), rel=0.01 if plan is PLAN12 else 0.15
    )


@pytest.mark.parametrize(("name", "seed"), [("one window", 2), ("odd window", 1)])
def test_gradients_pass_straight_through(name, seed):
    """Without saturation, and far from x = 0 where a network of this size is chaotic, gradients
    in 12 bits are those of the float network but for some percent.

    q is four times as large as k, so that a power of two moves.
    """
    spec = SPECS[name]
    rng = np.random.default_rng(seed)
    params = initial(spec, rng) + rng.normal(0, 0.3, spec.param_count).astype(np.float32)
    tensors = views(spec, params)
    tensors["embedding"] *= 6
    tensors["attention.q"] *= 4
    tensors["attention.k"] /= 4
    tokens = rng.integers(0, spec.vocab, (16, 65))
    numbers = ChipNumbers.of(checkpoint_of(spec, params), PLAN12, lanes=4 if seed == 2 else 8)
    assert any(numbers.qk_log2_shift)
    exact = views(spec, Kernel(spec).step(params, tokens)[1])
    fixed = views(spec, Kernel(spec, numbers=numbers).step(params, tokens)[1])
    for tensor, grad in exact.items():
        error = np.linalg.norm(grad - fixed[tensor]) / np.linalg.norm(grad)
        assert error < 0.2, tensor


@pytest.mark.quick
def test_saturation_stops_gradients():
    spec = SPECS["one window"]
    params = random_params(spec, 0.5)
    views(spec, params)["ffn.gate"][:] *= 1e4
    tokens = np.zeros((4, 30), np.uint16)
    numbers = ChipNumbers.of(checkpoint_of(spec, params), PLAN12)
    _, grads = Kernel(spec, numbers=numbers).step(params, tokens)
    assert not views(spec, grads)["ffn.gate"].any()
    _, grads = Kernel(spec).step(params, tokens)
    assert views(spec, grads)["ffn.gate"].any()


def test_training_lowers_the_loss_in_chip_numbers(released):
    checkpoint, tokens = released
    kernel = Kernel(checkpoint.spec, numbers=ChipNumbers.of(checkpoint, PLAN9))
    params = flatten(checkpoint.spec, checkpoint.tensors)
    first = kernel.evaluate(params, tokens)
    adam = Adam(count=kernel.size)
    for _ in range(60):
        adam.step(params, kernel.step(params, tokens)[1], 2e-3)
    assert kernel.evaluate(params, tokens) < first - 0.2
