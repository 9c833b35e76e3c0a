# SPDX-License-Identifier: MIT
"""PyTorch and the kernel take the same step."""

import logging

import numpy as np
import pytest

from glintfpga.quant.blink.plan import PLAN12
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.train.engine import kernel_build
from glintfpga.train.engine.kernel import ChipNumbers, Kernel
from glintfpga.train.engine.parameters import flatten, views
from glintfpga.train.engine.range_penalty import RangePenalty
from glintfpga.train.engine.shape import Shape

torch = pytest.importorskip("torch")

from glintfpga.train.engine.choice import open_engine  # noqa: E402
from glintfpga.train.engine.eager import Eager  # noqa: E402
from support.train_benchmark import compare  # noqa: E402

torch.set_num_threads(1)

SPECS = {
    "blink": ModelSpec(),
    "two loops": ModelSpec(
        loops=2, lora_rank=2, lora_targets=LORA_TARGETS, vocab=9, eos=0, window=3, hidden=5
    ),
    "prelude and coda": ModelSpec(loops=2, prelude=1, coda=2, vocab=40, eos=None, window=30),
    "no LoRA": ModelSpec(loops=2, lora_rank=0, lora_targets=(), vocab=16, eos=None, window=1),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize(
    "penalty",
    [None, RangePenalty(weight=1e-2, qk=0.5, gate=0.4, z=0.3, x=1.0)],
    ids=["plain", "penalty"],
)
def test_kernel_has_the_gradients_of_autograd(spec, penalty):
    """Each tensor within 5e-4 of its largest entry; autograd in float64."""
    rng = np.random.default_rng(1)
    params = rng.normal(0, 0.5, spec.param_count).astype(np.float32)
    tokens = rng.integers(0, spec.vocab, (19, 40)).astype(np.uint16)
    eager = Eager(Shape.of(spec), penalty=penalty)
    eager.model.double()
    want_loss, want = eager.step(params, tokens)
    kernel = Kernel(spec, penalty=penalty)
    found_loss, found = kernel.step(params, tokens)
    assert found_loss == pytest.approx(want_loss, abs=1e-6)
    for name, grad in views(spec, want).items():
        error = np.abs(views(spec, found)[name] - grad).max()
        # With a window of one token, q and k have no gradient but that of the penalty.
        assert error <= max(5e-4 * np.abs(grad).max(), 1e-8), name
    np.testing.assert_allclose(
        kernel.losses(params, tokens), eager.losses(params, tokens), atol=2e-4
    )
    assert eager.evaluate(params, tokens) == pytest.approx(want_loss, abs=1e-6)


def test_penalty_counts():
    spec = SPECS["two loops"]
    params = np.random.default_rng(1).normal(0, 0.5, spec.param_count).astype(np.float32)
    tokens = np.random.default_rng(2).integers(0, 9, (3, 20)).astype(np.uint16)
    plain, pulled = (
        Kernel(spec, penalty=penalty).step(params, tokens)
        for penalty in (None, RangePenalty(weight=1.0, qk=0.5, gate=0.4, z=0.3, x=1.0))
    )
    assert plain[0] == pulled[0]
    assert np.abs(plain[1] - pulled[1]).max() > 0.1


class TestOpenEngine:
    def test_kernel_where_it_can(self, caplog):
        assert isinstance(open_engine(SPECS["two loops"]), Kernel)
        assert not caplog.records

    @pytest.fixture
    def no_compiler(self, monkeypatch):
        monkeypatch.setenv("CXX", "no-such-compiler")
        kernel_build._load.cache_clear()
        yield
        kernel_build._load.cache_clear()

    def test_eager_without_a_compiler(self, no_compiler, caplog):
        spec = SPECS["two loops"]
        with caplog.at_level(logging.WARNING, "glintfpga.train"):
            engine = open_engine(spec)
        assert isinstance(engine, Eager)
        (record,) = caplog.records
        assert "no C++ compiler" in record.getMessage()
        loss, grads = engine.step(np.ones(engine.size, np.float32), np.zeros((1, 5), np.uint16))
        assert np.isfinite(loss)
        assert grads.shape == (spec.param_count,)

    def test_eager_for_a_shape_without_kernel(self, caplog):
        engine = open_engine(ModelSpec(loops=1, thinking=1, vocab=5, eos=None))
        assert isinstance(engine, Eager)
        assert "does not think" in caplog.text

    def test_chip_numbers_need_the_kernel(self, no_compiler):
        spec = SPECS["two loops"]
        numbers = ChipNumbers(plan=PLAN12, lanes=4, qk_log2_shift=(0, 0), rope=(7, 44))
        with pytest.raises(EnvironmentProblem, match="no C"):
            open_engine(spec, numbers=numbers)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("can't allocate memory: 9 bytes")],
)
def test_too_little_memory_is_one_line(error, monkeypatch):
    def full(*given):
        raise error

    eager = Eager(Shape.of(SPECS["two loops"]))
    tokens = np.zeros((2, 5), np.uint16)
    monkeypatch.setattr("glintfpga.train.engine.eager.loss", full)
    monkeypatch.setattr(eager.model, "forward", full)
    for call in (eager.step, eager.losses):
        with pytest.raises(EnvironmentProblem, match=r"2 sequences of 5 ids: give a smaller --bat"):
            call(eager.vector(), tokens)


@pytest.mark.quick
def test_other_errors_are_not_taken_for_it():
    eager = Eager(Shape.of(SPECS["two loops"]))
    with pytest.raises(RuntimeError, match="must be 2-D"):
        eager._tensors[0].data = torch.zeros(1)
        eager.step(np.zeros(eager.size, np.float32), np.zeros((2, 5), np.uint16))


def test_benchmark_measures_each_engine():
    speeds = compare(ModelSpec(), batch=16, length=16, rounds=2)
    assert [speed.name for speed in speeds] == [
        "PyTorch", "kernel", "kernel, plan 12", "kernel, plan 9",
    ]  # fmt: skip
    assert all(len(speed.rounds) == 2 and min(speed.rounds) > 0 for speed in speeds)
    assert speeds[1].median > 5 * speeds[0].median


def test_flat_order_is_that_of_the_checkpoint():
    spec = SPECS["two loops"]
    params = np.arange(spec.param_count, dtype=np.float32)
    eager = Eager(Shape.of(spec))
    eager._load(params)
    state = {name: tensor.numpy() for name, tensor in eager.model.state_dict().items()}
    np.testing.assert_array_equal(flatten(spec, state), params)
    np.testing.assert_array_equal(eager.vector(), params)
